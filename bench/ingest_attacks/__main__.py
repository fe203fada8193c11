"""`python -m bench.ingest_attacks`: honest traffic during each attack; the aim is p99 below 500 ms and none refused.

One ingress on one core with its usual bounds; Kafka, the attacker and the honest senders on the others. Honest events
come by turns on kept connections and on a fresh one each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from bench.common.latency import latency_figures
from bench.ingest import cpu
from bench.ingest.__main__ import ours
from bench.ingest.load import SECRET
from bench.ingest.measure import until_open
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from sori.settings.kafka import KafkaSettings
from testkit.ingest_attacks.attacker import attacked
from testkit.ingest_attacks.attacks import ATTACKS
from testkit.ingest_attacks.honest import honest
from testkit.ingest_attacks.target import Target

console = Console(width=None if sys.stdout.isatty() else 120)
NOBODY = "nobody"
_AIM_S = 0.5
#: Attacks that want every connection there is; the others take `--connections`.
_ALL = frozenset({"idle_connections", "slow_heads"})
_MORE_THAN_ALL = 4_300


@dataclass(frozen=True)
class Sample:
    """Honest deliveries during one attack; latencies in seconds, memory of the ingress in megabytes."""

    name: str
    delivered: int
    refused: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None
    server_busy: float
    rss_mb: float


async def _sample(name: str, options: argparse.Namespace, kafka: KafkaSettings, folder: Path) -> Sample:
    """A fresh ingress for every attack, so that none pays for what another left behind."""
    server_cores, other_cores = cpu.split()
    server, log = ours(name, kafka, folder, server_cores), folder / "servers.log"
    with log.open("ab") as output:
        env = {**os.environ, **server.env}
        process = subprocess.Popen(server.command, env=env, stdout=output, stderr=output)  # noqa: ASYNC220 - once
    try:
        await until_open(server.port, process, log)
        cpu.pin(process.pid, server_cores)
        count = _MORE_THAN_ALL if name in _ALL else options.connections
        target = Target(server.port, SECRET, connections=count)
        async with attacked(name, target) as attacker:
            os.sched_setaffinity(attacker.pid, other_cores)
            await asyncio.sleep(1)  # connections are up
            before = cpu.used_s(process.pid)
            seen = await honest(target, int(options.rate * options.seconds), options.rate, kept=16)
            used, memory = cpu.used_s(process.pid) - before, cpu.rss_mb(process.pid)
    finally:
        process.terminate()
        process.wait(30)
    figures = latency_figures(seen.latencies)
    return Sample(
        name=name,
        delivered=seen.statuses["200"],
        refused=seen.refused,
        p50_s=figures["p50_s"],
        p99_s=figures["p99_s"],
        max_s=figures["max_s"],
        server_busy=round(used / options.seconds, 2),
        rss_mb=round(memory, 1),
    )


async def bench(options: argparse.Namespace, folder: Path) -> list[Sample]:
    """Every attack that was asked for, and the same traffic with nobody attacking."""
    samples = []
    async with EmbeddedBroker(folder / "kafka") as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        await apply_topics(kafka)
        cpu.pin(broker.pid or 0, cpu.split()[1])
        for name in (NOBODY, *(options.attacks or ATTACKS)):
            samples.append(await _sample(name, options, kafka, folder))
            console.print(samples[-1])
    return samples


def table(samples: Sequence[Sample]) -> Table:
    """The figures as a person reads them."""
    columns = ["attack", "delivered", "refused", "p50 ms", "p99 ms", "most ms", "server core", "memory MB", ""]
    result = Table(*columns, title="Honest traffic during attacks on one ingress process, one core")
    for one in samples:
        times = ["" if value is None else f"{value * 1e3:,.0f}" for value in (one.p50_s, one.p99_s, one.max_s)]
        good = one.refused == 0 and one.p99_s is not None and one.p99_s < _AIM_S
        cells = [str(one.delivered), str(one.refused), *times, f"{one.server_busy:.0%}", f"{one.rss_mb:,.0f}"]
        result.add_row(one.name, *cells, "" if good else "[red]short[/]")
    return result


def main() -> None:
    """Parse, run, print, write; exit code 1 when an honest delivery was refused."""
    parser = command_line("python -m bench.ingest_attacks", __doc__)
    parser.add_argument("attacks", nargs="*", help=f"of {', '.join(ATTACKS)}; default all")
    parser.add_argument("--seconds", type=float, default=10.0, help="of honest traffic during each attack")
    parser.add_argument("--rate", type=float, default=200.0, help="honest events per second")
    parser.add_argument("--connections", type=int, default=256, help="sockets of an attack on bodies")
    options = parser.parse_args()
    if unknown := set(options.attacks) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    with scratch_folder("attacks") as folder:
        samples = uvloop.run(bench(options, Path(folder)))
    console.print(table(samples))
    write_figures(options.json, [asdict(sample) for sample in samples])
    raise SystemExit(any(sample.refused for sample in samples))


if __name__ == "__main__":
    main()
