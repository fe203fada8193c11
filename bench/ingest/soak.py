"""python -m bench.ingest.soak: the ingress at 70 % of its capacity for ten minutes, and its memory meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from bench.ingest import cpu
from bench.ingest.__main__ import in_kafka, ours
from bench.ingest.load import Load, Result
from bench.ingest.measure import measure, until_open
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from sori.settings.kafka import KafkaSettings

console = Console()
_EVERY_S = 10.0


@dataclass(frozen=True)
class Soak:
    """What a soak showed; memory in megabytes, latencies in milliseconds."""

    name: str
    events_per_s: float
    cpu_us_per_event: float
    seconds: float
    acknowledged: int
    in_kafka: int
    not_200: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    rss_first_mb: float
    rss_last_mb: float
    rss_max_mb: float


async def soak(options: argparse.Namespace, folder: Path) -> Soak:
    """Find the capacity, then keep 70 % of it up and watch the memory."""
    server_cores, other_cores = cpu.split()
    log = folder / "server.log"
    async with EmbeddedBroker(folder / "kafka") as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        await apply_topics(kafka)
        cpu.pin(broker.pid or 0, other_cores)
        probe = ours("capacity", kafka, folder, server_cores)
        capacity = (await measure(probe, Load(probe.port, probe.path), other_cores, log)).events_per_s
        rate = options.rate or capacity * options.share
        console.print(f"capacity {capacity:,.0f} ev/s; soaking at {rate:,.0f} ev/s for {options.minutes:g} minutes")
        before = await in_kafka(kafka)
        server = ours("soak", kafka, folder, server_cores)
        with log.open("ab") as output:
            env = {**os.environ, **server.env}
            process = subprocess.Popen(server.command, env=env, stdout=output, stderr=output)  # noqa: ASYNC220 - once
        try:
            await until_open(server.port, process, log)
            cpu.pin(process.pid, server_cores)
            load = Load(server.port, server.path, warmup_s=20.0, seconds=options.minutes * 60, rate=rate)
            result, used, memory = await _watch(process.pid, load, other_cores)
        finally:
            process.terminate()
            process.wait(30)
        return Soak(
            name="ours-soak",
            events_per_s=round(result.events / result.seconds, 1),
            cpu_us_per_event=round(used / max(1, result.events) * 1e6, 2),
            seconds=round(result.seconds, 1),
            acknowledged=result.all_events,
            in_kafka=await in_kafka(kafka) - before,
            not_200=sum(result.statuses.values()) - result.all_events,
            p50_ms=round(result.p50_ms, 2),
            p99_ms=round(result.p99_ms, 2),
            max_ms=round(result.max_ms, 2),
            rss_first_mb=round(memory[0], 1),
            rss_last_mb=round(memory[-1], 1),
            rss_max_mb=round(max(memory), 1),
        )


async def _watch(pid: int, load: Load, client_cores: set[int]) -> tuple[Result, float, list[float]]:
    """The load's result, the server's CPU seconds meanwhile, and its memory every ten seconds."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.ingest.load", json.dumps(asdict(load)), stdout=asyncio.subprocess.PIPE
    )
    os.sched_setaffinity(client.pid, client_cores)
    lines: asyncio.StreamReader = client.stdout  # type: ignore[assignment]
    await lines.readline()
    before, begun = cpu.used_s(pid), time.monotonic()
    memory = [cpu.rss_mb(pid)]
    ended = asyncio.create_task(lines.readline())
    while not (await asyncio.wait([ended], timeout=_EVERY_S))[0]:
        memory.append(cpu.rss_mb(pid))
        console.print(f"  {time.monotonic() - begun:5.0f} s  {memory[-1]:6.1f} MB")
    used = cpu.used_s(pid) - before
    memory.append(cpu.rss_mb(pid))
    result = Result(**json.loads(await lines.readline()))
    await client.wait()
    return result, used, memory


def table(soaks: Sequence[Soak]) -> Table:
    """The figures as a person reads them."""
    result = Table("", "", title="Ingress soak: one process, one core")
    for one in soaks:
        for name, value in asdict(one).items():
            result.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else value)
    return result


def main() -> None:
    """Parse, run, print, write; exit code 1 when an acknowledged event is not in Kafka."""
    parser = command_line("python -m bench.ingest.soak", __doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, after 20 s of warming up")
    parser.add_argument("--share", type=float, default=0.7, help="share of the measured capacity")
    parser.add_argument("--rate", type=float, default=0.0, help="events per second instead of a share")
    options = parser.parse_args()
    with scratch_folder("soak") as folder:
        one = asyncio.run(soak(options, Path(folder)))
    console.print(table([one]))
    write_figures(options.json, [asdict(one)])
    raise SystemExit(one.in_kafka < one.acknowledged)


if __name__ == "__main__":
    main()
