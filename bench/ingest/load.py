"""The load generator: keep-alive connections with one request each in flight, on raw protocols (8 us a request).

`python -m bench.ingest.load '{"port": …, "path": …, …}'` prints one JSON line: events, seconds, latencies, statuses.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import uvloop

from sori.signature import HmacSha256

_POOL = 20_000
SECRET = "s3cret"  # noqa: S105 - of the server under test


@dataclass
class Load:
    """What to do. `rate` is events per second over all connections; 0 is as fast as the answers come."""

    port: int
    path: str
    connections: int = 256
    warmup_s: float = 1.5
    seconds: float = 5.0
    rate: float = 0.0


@dataclass
class Result:
    """What came of it; latencies in milliseconds."""

    events: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    cpu_s: float = 0.0
    all_events: int = 0
    statuses: dict[str, int] = field(default_factory=dict)


def requests(load: Load) -> list[bytes]:
    """Signed webhooks like the contract's sample, ready to send; ids are unique to this run."""
    run, now = uuid.uuid4().hex[:8], datetime.now(UTC).isoformat(timespec="milliseconds")
    pool = []
    for number in range(_POOL):
        event = {
            "event": "campaign.click" if number % 20 == 0 else "campaign.impression",
            "account_id": f"acc_{number % 20}",
            "created_at": now,
            "activity_id": f"act_{run}_{number}",
            "device_id": f"device_{number % 5_000}",
            "platform": "Android",
            "metadata": {"session": "abcd-1234"},
            "geolocation": {
                "viewer_country": "United States",
                "viewer_region": "Michigan",
                "viewer_city": "Ann Arbor",
            },
            "campaign": {
                "id": f"cmp_{number % 50}",
                "name": "Fall Promotion",
                "tags": ["retail", "autumn"],
                "image": "https://cdn.soriapi.com/campaigns/cmp_1234.png",
            },
            "material": {
                "id": "mat_5678",
                "name": "Audio Spot 15s",
                "tags": ["audio", "15s"],
                "image": "https://cdn.soriapi.com/materials/mat_5678.png",
            },
            "timestamp": now,
        }
        body = json.dumps(event, separators=(",", ":")).encode()
        head = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nUser-Agent: SORI-Webhook/1.0\r\n"
            f"Accept: */*\r\nContent-Type: application/json\r\n"
            f"X-SORI-Signature: {HmacSha256().sign(SECRET.encode(), body)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        pool.append(head.encode() + body)
    return pool


class Generator:
    """State shared by all connections."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.pool = requests(load)
        self.next = 0
        self.stopped = False
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.idle: list[Client] = []
        self.budget = 0.0

    def request(self) -> bytes:
        """The next request."""
        self.next += 1
        return self.pool[self.next % _POOL]

    async def pace(self) -> None:
        """Hand out requests at the wished rate to connections that are idle."""
        last = time.perf_counter()
        while not self.stopped:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            self.budget, last = min(self.budget + (now - last) * self.load.rate, 256.0), now
            while self.budget >= 1 and self.idle:
                self.budget -= 1
                self.idle.pop().send()


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._buffer = b""
        self._length = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._ready()

    def _ready(self) -> None:
        if self._generator.stopped:
            self._transport.close()
        elif self._generator.load.rate:
            self._generator.idle.append(self)
        else:
            self.send()

    def send(self) -> None:
        """Send the next request."""
        self._sent = time.perf_counter()
        self._transport.write(self._generator.request())

    def data_received(self, data: bytes) -> None:
        if self._buffer or len(data) != self._length:
            data = self._buffer + data
            self._length = _response_length(data)
            if not self._length or len(data) < self._length:
                self._buffer = data
                return
            self._buffer = b""
        generator = self._generator
        generator.latencies.append(time.perf_counter() - self._sent)
        generator.statuses[data[9:12].decode()] += 1
        self._ready()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._generator.stopped:
            self._generator.statuses["disconnected"] += 1


def _response_length(data: bytes) -> int:
    """Bytes of a whole response, 0 when its head is not there yet; answers of one server rarely change length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    return end + 4 + int(head[at:].split(b"\r\n", 1)[0])


async def run(load: Load) -> Result:
    """Warm up, measure, stop."""
    generator = Generator(load)
    loop = asyncio.get_running_loop()
    for _ in range(load.connections):
        await loop.create_connection(lambda: Client(generator), "127.0.0.1", load.port)
    pacer = asyncio.create_task(generator.pace()) if load.rate else None
    await asyncio.sleep(load.warmup_s)
    warm, good = len(generator.latencies), generator.statuses["200"]
    begun, cpu = time.perf_counter(), time.process_time()
    print("measuring", flush=True)
    await asyncio.sleep(load.seconds)
    seconds, events = time.perf_counter() - begun, generator.statuses["200"] - good
    cpu_s = time.process_time() - cpu
    print("measured", flush=True)
    generator.stopped = True
    if pacer is not None:
        await pacer
    await asyncio.sleep(0.3)  # answers under way, so that the counts on both sides can be compared
    ordered = sorted(generator.latencies[warm:]) or [0.0]
    return Result(
        events=events,
        seconds=seconds,
        p50_ms=ordered[len(ordered) // 2] * 1e3,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1e3,
        max_ms=ordered[-1] * 1e3,
        cpu_s=cpu_s,
        all_events=generator.statuses["200"],
        statuses=dict(generator.statuses),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Load(**json.loads(sys.argv[1])))))), flush=True)
