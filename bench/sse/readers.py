"""Readers of the event stream as cheap as they get: one socket and one buffer each, so that the server is measured."""

from __future__ import annotations

import asyncio
import re
import time

_ID = re.compile(rb'"alert_id":"(\d+)"')
_POSITION = re.compile(rb"^id: (.+)$", re.MULTILINE)


class Reader(asyncio.Protocol):
    """Notes when it got which alert, and how long after the alert said it was published, seconds."""

    def __init__(self, published: dict[int, float], last_id: str = "") -> None:
        self._published = published
        self._last_id = last_id
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen: list[int] = []
        self.ages: list[float] = []
        self.position = last_id
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._transport = transport
        resume = f"Last-Event-ID: {self._last_id}\r\n" if self._last_id else ""
        transport.write(f"GET /v1/alerts/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n{resume}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Whole blocks are read, the rest waits."""
        now = time.time()
        blocks = (self._rest + data).split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            if found := _POSITION.search(block):
                self.position = found[1].decode()
                if not self.ready.done():
                    self.ready.set_result(None)
            if found := _ID.search(block):
                number = int(found[1])
                self.seen.append(number)
                self.ages.append(now - self._published[number])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It ended."""
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("refused"))

    def pause(self) -> None:
        """Take nothing any more."""
        assert self._transport is not None  # noqa: S101 - connected
        self._transport.pause_reading()

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()


async def connect(port: int, published: dict[int, float], count: int, last_id: str = "") -> list[Reader]:
    """That many readers whose position is known."""
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    for first in range(0, count, 200):
        made = await asyncio.gather(
            *[
                loop.create_connection(lambda: Reader(published, last_id), "127.0.0.1", port)
                for _ in range(min(200, count - first))
            ]
        )
        fresh = [reader for _, reader in made]
        async with asyncio.timeout(60):
            await asyncio.gather(*[reader.ready for reader in fresh])
        readers += fresh
    return readers
