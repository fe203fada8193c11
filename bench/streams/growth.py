"""How the cost of hop 1 grows: live devices, partitions, workers (python -m bench.streams.growth).

devices     CPU per event and memory of one partition's operator, every rule on, 1k to 1M devices live at once
partitions  the real worker on one core, the same events in topics of 1 to 64 partitions
workers     1, 2 and 4 workers in one group, sharing the machine's cores with the broker
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.ingest import cpu
from bench.streams.arena import create
from bench.streams.corpus import Loader, deliveries, loading
from bench.streams.growth_picture import draw
from bench.streams.growth_workers import run_workers
from bench.streams.measure import run
from bench.streams.page import PAGE, Curves, save_growth
from bench.streams.summary import machine
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from sori.settings.kafka import KafkaSettings

console = Console(width=None if sys.stdout.isatty() else 120)
_WORKERS_SHARE = 16
_TIMEOUT_S = 300


def devices_curve(points: list[int], events: int, core: int) -> list[dict[str, float]]:
    """Each point in a process of its own, so that memory is its own."""
    rows = []
    for point in points:
        with console.status(f"{point:,} live devices"):
            command = [sys.executable, "-m", "bench.streams.growth_devices", str(point), str(events)]
            pinned = ["taskset", "-c", str(core), *command]
            done = subprocess.run(pinned, stdout=subprocess.PIPE, check=True, timeout=_TIMEOUT_S)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


async def kafka_curves(options: argparse.Namespace, folder: Path, core: int) -> Curves:
    """Both curves that need a broker; the corpus is made once and put into a topic of each width."""
    curves: Curves = {"partitions": [], "workers": []}
    widths = sorted({*options.partitions, *([_WORKERS_SHARE] if options.workers else [])})
    async with EmbeddedBroker(folder / "kafka", heap_mb=1024) as broker:
        settings = {
            width: KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=f"p{width}.", event_partitions=width)
            for width in widths
        }
        for width, kafka in settings.items():
            await create(kafka, [f"{kafka.topic_prefix}events"], width)
            await apply_topics(kafka)
        async with loading(settings[widths[0]]) as producer:
            loader = Loader(producer, {f"p{width}.events": width for width in widths})
            for one in deliveries(options.events, options.per_second, options.seed):
                await loader.add(one)
            await loader.close()
        if options.partitions:
            cpu.pin(broker.pid or 0, {min(os.sched_getaffinity(0))})
        for width in options.partitions:
            with console.status(f"{width} partitions"):
                command = [sys.executable, "-m", "bench.streams.ours", str(options.events), str(options.events // 4)]
                env = _env(settings[width], f"partitions-{width}")
                log = folder / f"partitions-{width}.log"
                sample = await asyncio.to_thread(run, f"{width} partitions", command, env, core, log)
            figures = {"events_per_s": sample.events_per_s, "cpu_us_per_event": sample.cpu_us_per_event}
            curves["partitions"].append({"partitions": width, **figures})
        cpu.pin(broker.pid or 0, os.sched_getaffinity(0))
        for count in options.workers:
            with console.status(f"{count} workers"):
                env = _env(settings[_WORKERS_SHARE], f"workers-{count}")
                row = await asyncio.to_thread(run_workers, count, env, _WORKERS_SHARE, options.events, folder)
            curves["workers"].append(row)
    return curves


def _env(kafka: KafkaSettings, group: str) -> dict[str, str]:
    return {
        "SORI_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "SORI_STREAMS__GROUP": group,
        "SORI_STREAMS__ADMIN_PORT": "0",
        "SORI_LOG__LEVEL": "warning",
    }


def show(curves: Curves) -> None:
    """A table per curve."""
    for name, rows in curves.items():
        if rows:
            table = Table(*rows[0], title=name)
            for row in rows:
                table.add_row(
                    *(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in row.values())
                )
            console.print(table)


def parse() -> argparse.Namespace:
    """The command line."""

    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",") if part]

    parser = argparse.ArgumentParser(
        prog="python -m bench.streams.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    points = [1_000, 10_000, 100_000, 1_000_000]
    parser.add_argument("--devices", type=numbers, default=points, help="live devices, comma-separated; '' leaves out")
    parser.add_argument("--partitions", type=numbers, default=[1, 6, 16, 64], help="widths of the topic")
    parser.add_argument("--workers", type=numbers, default=[1, 2, 4], help=f"workers on {_WORKERS_SHARE} partitions")
    parser.add_argument("--events", type=int, default=300_000, help="events per point")
    parser.add_argument("--per-second", type=int, default=5_000, help="events per second of event time")
    parser.add_argument("--seed", type=int, default=11, help="seed of the corpus")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--save", action="store_true", help="write tables and picture into docs/")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    options = parse()
    core = max(os.sched_getaffinity(0))
    curves: Curves = {"devices": devices_curve(options.devices, options.events, core)}
    if options.partitions or options.workers:
        with tempfile.TemporaryDirectory(prefix="sori-bench-", ignore_cleanup_errors=True) as folder:
            curves |= asyncio.run(kafka_curves(options, Path(folder), core))
    show(curves)
    if options.json:
        options.json.write_text(json.dumps(curves, indent=2) + "\n", encoding="utf-8")
    if options.save:
        save_growth(curves, machine(), options)
        draw(curves, PAGE.parent / "pictures" / "streams-growth.svg")


if __name__ == "__main__":
    main()
