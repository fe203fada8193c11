"""One server under load: started on its own core, warmed up, measured, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.ingest import cpu
from bench.ingest.load import Load, Result


@dataclass(frozen=True)
class Server:
    """How to start a server, and where it listens."""

    name: str
    command: Sequence[str]
    port: int
    path: str
    env: Mapping[str, str]
    cores: frozenset[int]


@dataclass(frozen=True)
class Sample:
    """One measurement; latencies in milliseconds, CPU in microseconds of the server per event."""

    name: str
    events_per_s: float
    cpu_us_per_event: float
    p50_ms: float
    p99_ms: float
    server_busy: float
    client_busy: float
    ok: int
    other: int
    rss_mb: float


async def measure(server: Server, load: Load, client_cores: set[int], log: Path) -> Sample:
    """Start `server`, put `load` on it, stop it. Raises RuntimeError with its log when it does not come up."""
    with log.open("ab") as output:
        env = {**os.environ, **server.env}
        process = subprocess.Popen(server.command, env=env, stdout=output, stderr=output)  # noqa: ASYNC220 - starts once
    try:
        os.sched_setaffinity(process.pid, server.cores)
        await until_open(server.port, process, log)
        cpu.pin(process.pid, set(server.cores))
        return await _sample(server, process.pid, load, client_cores)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


async def _sample(server: Server, pid: int, load: Load, client_cores: set[int]) -> Sample:
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.ingest.load", json.dumps(asdict(load)), stdout=asyncio.subprocess.PIPE
    )
    os.sched_setaffinity(client.pid, client_cores)
    lines: asyncio.StreamReader = client.stdout  # type: ignore[assignment]
    await lines.readline()
    before = cpu.used_s(pid)
    await lines.readline()
    used, rss = cpu.used_s(pid) - before, cpu.rss_mb(pid)
    result = Result(**json.loads(await lines.readline()))
    await client.wait()
    other = sum(result.statuses.values()) - result.all_events
    return Sample(
        name=server.name,
        events_per_s=result.events / result.seconds,
        cpu_us_per_event=used / max(1, result.events) * 1e6,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        server_busy=used / result.seconds,
        client_busy=result.cpu_s / result.seconds,
        ok=result.all_events,
        other=other,
        rss_mb=rss,
    )


async def until_open(port: int, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 30.0) -> None:
    """Wait until the port takes connections."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the server did not come up; see {log}")
