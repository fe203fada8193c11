"""`make bench-ingest`: signed, validated, broker-acknowledged events per second of one process on one core."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from bench.ingest import cpu
from bench.ingest.load import SECRET, Load
from bench.ingest.measure import Sample, Server, measure
from bench.ingest.peers import PATHS
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.kafka.clients import bounded, make_consumer, running
from runtime.process.ports import free_port
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS

console = Console(width=None if sys.stdout.isatty() else 120)
_BUSY = 0.1
NAMES = ("ours", "aiohttp-bare", "fastapi-example")


def ours(name: str, kafka: KafkaSettings, folder: Path, cores: set[int], *, workers: int = 1) -> Server:
    """Our ingress with everything on: signature, validation, acks=all, metrics."""
    port = free_port()
    env = {
        "SORI_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SORI_DATA_DIR": str(folder / name),
        "SORI_INGEST__SECRET_KEYS": SECRET,
        "SORI_INGEST__ADMIN_PORT": "0",
        "SORI_LOG__LEVEL": "error",
    }
    command = [sys.executable, "-m", "cli.main", "ingest", "--port", str(port), "--workers", str(workers)]
    return Server(name, command, port, "/webhooks/sori", env, frozenset(cores))


def peer(name: str, cores: set[int]) -> Server:
    """A peer."""
    port = free_port()
    command = [sys.executable, "-m", "bench.ingest.peers", name, str(port)]
    return Server(name, command, port, PATHS[name], {}, frozenset(cores))


async def in_kafka(kafka: KafkaSettings) -> int:
    """Records of the events topic."""
    async with running(make_consumer(kafka, EVENTS.name(kafka.topic_prefix)), 10) as consumer:
        ends = await bounded(consumer.end_offsets(list(consumer.assignment())), 10, "end offsets")
    return sum(ends.values())


async def bench(options: argparse.Namespace, folder: Path) -> list[Sample]:
    """Rounds of all peers one after the other, so that a noisy minute hits them alike."""
    server_cores, other_cores = cpu.split()
    log, samples = folder / "servers.log", []
    async with EmbeddedBroker(folder / "kafka") as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap)
        await apply_topics(kafka)
        cpu.pin(broker.pid or 0, other_cores)

        async def one(server: Server) -> Sample:
            load = Load(server.port, server.path, options.connections, options.warmup, options.seconds, options.rate)
            sample = await measure(server, load, other_cores, log)
            console.print(f"  {sample.name:<18} {sample.events_per_s:>9,.0f} ev/s  {sample.cpu_us_per_event:5.1f} us")
            samples.append(sample)
            return sample

        acknowledged = 0
        for number in range(options.rounds):
            console.print(f"round {number + 1} of {options.rounds}")
            acknowledged += (await one(ours("ours", kafka, folder, server_cores))).ok
            await one(peer("aiohttp-bare", server_cores))
            await one(peer("fastapi-example", server_cores))
        if options.workers > 1:
            everywhere = server_cores | other_cores
            name = f"ours-{options.workers}-workers"
            acknowledged += (await one(ours(name, kafka, folder, everywhere, workers=options.workers))).ok
        stored = await in_kafka(kafka)
        console.print(f"acknowledged {acknowledged:,}, in Kafka {stored:,}")
        if stored < acknowledged:
            raise SystemExit("events were acknowledged that Kafka does not have")
        if options.spool:
            await broker.stop()
            await one(ours("ours-spooling", kafka, folder, server_cores))
    return samples


def summary(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Per name the median of its rounds."""
    rows = []
    for name in dict.fromkeys(sample.name for sample in samples):
        mine = [sample for sample in samples if sample.name == name]

        def median(field: str, of: Sequence[Sample] = mine) -> float:
            return float(statistics.median(getattr(sample, field) for sample in of))

        fields = ("events_per_s", "cpu_us_per_event", "p50_ms", "p99_ms", "server_busy", "client_busy", "rss_mb")
        row: dict[str, object] = {"name": name, **{field: round(median(field), 2) for field in fields}}
        rows.append({**row, "not_200": sum(sample.other for sample in mine), "rounds": len(mine)})
    return rows


def ratios(samples: Sequence[Sample]) -> Mapping[str, float]:
    """Ours over each peer: median of the rounds' own ratios, which a machine that slows down does not bend."""
    by_name = {name: [s.events_per_s for s in samples if s.name == name] for name in NAMES}
    return {
        name: round(statistics.median(a / b for a, b in zip(by_name["ours"], by_name[name], strict=True)), 3)
        for name in NAMES[1:]
    }


def table(rows: Sequence[Mapping[str, object]], against: Mapping[str, float]) -> Table:
    """The figures as a person reads them."""
    columns = ["", "events/s", "CPU us/event", "p50 ms", "p99 ms", "server core", "client core", "not 200", "ours is"]
    result = Table(*columns, title="Ingress, one process on one core; broker and load generator on the other")
    for row in rows:
        name = str(row["name"])
        ratio = f"{against[name]:.2f}x" if name in against else ""
        cells = [f"{float(str(row[field])):,.1f}" for field in ("cpu_us_per_event", "p50_ms", "p99_ms")]
        busy = [f"{float(str(row[field])):.0%}" for field in ("server_busy", "client_busy")]
        result.add_row(name, f"{float(str(row['events_per_s'])):,.0f}", *cells, *busy, str(row["not_200"]), ratio)
    return result


def main() -> None:
    """Parse, run, print, write."""
    parser = command_line("make bench-ingest", __doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="measured seconds per server and round")
    parser.add_argument("--warmup", type=float, default=2.0, help="seconds before measuring")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all peers")
    parser.add_argument("--connections", type=int, default=256, help="keep-alive connections, one request each")
    parser.add_argument("--rate", type=float, default=0.0, help="events per second; 0 is as fast as answers come")
    parser.add_argument("--workers", type=int, default=2, help="also with N workers over all cores; 1 leaves it out")
    parser.add_argument("--no-spool", dest="spool", action="store_false", help="leave out the run with Kafka down")
    options = parser.parse_args()
    if (busy := cpu.busy_elsewhere()) > _BUSY:
        console.print(f"[yellow]other work takes {busy:.0%} of this machine: read ratios and CPU, not events/s[/]")
    with scratch_folder("bench") as folder:
        samples = asyncio.run(bench(options, Path(folder)))
    rows, against = summary(samples), ratios(samples)
    console.print(table(rows, against))
    extra = {"ours": {f"times_{name}": value for name, value in against.items()}}
    write_figures(options.json, [{**row, **extra.get(str(row["name"]), {})} for row in rows])


if __name__ == "__main__":
    main()
