"""Honest traffic beside an attack: what each delivery was answered, and how long that took."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from testkit.ingest_attacks.target import Target, event

_PATIENCE_S = 5.0


@dataclass
class Honest:
    """What honest senders saw: answers by status, else the error; latencies in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Deliveries that got no 200."""
        return sum(self.statuses.values()) - self.statuses["200"]


async def honest(target: Target, deliveries: int, rate: float, *, kept: int = 4) -> Honest:
    """Send events at a steady rate, by turns on kept connections and on a fresh one each."""
    seen = Honest()
    idle: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(kept):
        idle.put_nowait(_Connection(target))
    begun = time.perf_counter()

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        fresh = number % 2 == 0
        connection = _Connection(target) if fresh else await idle.get()
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                status = await connection.deliver(target.request(event()))
        except (OSError, EOFError) as error:  # TimeoutError is an OSError
            status = type(error).__name__
            connection.close()
        seen.statuses[status] += 1
        seen.latencies.append(time.perf_counter() - sent)
        if fresh:
            connection.close()
        else:
            idle.put_nowait(connection)

    await asyncio.gather(*(one(number) for number in range(deliveries)))
    while not idle.empty():
        idle.get_nowait().close()
    return seen


class _Connection:
    """Opened when it is first needed, and again after it was closed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def deliver(self, request: bytes) -> str:
        """The status of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._target.host, self._target.port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return head[9:12].decode()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
