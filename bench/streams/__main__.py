"""`make bench-streams`: events a second of our hop 1 and its peers, on the same topic, machine and run.

The broker has one core and the process under test the other, so "per core" is what it says. Peers are told apart by
what they do: ours runs dedupe, campaign, device and place windows, every rule, packed outputs and exact commits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.streams.corpus import load
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from sori.settings.kafka import KafkaSettings

console = Console()
PARTITIONS = 4


@dataclass(frozen=True)
class Peer:
    """One process under test; `share` of the corpus is enough to measure it."""

    name: str
    module: str
    share: float
    work: str


PEERS = (
    Peer("ours", "bench.streams.ours", 1.0, "dedupe + CTR + device + place windows, all rules, exact commits"),
    Peer("faust-table", "bench.streams.faust_table", 0.1, "one windowed table"),
)


def run(peer: Peer, kafka: KafkaSettings, events: int, core: int) -> dict[str, float | str]:
    """Run one peer pinned to `core`; its last line of output is its measurement."""
    env = {
        **os.environ,
        "SORI_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SORI_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "SORI_STREAMS__GROUP": f"bench-{peer.name}",
        "SORI_STREAMS__ADMIN_PORT": "0",
        "SORI_LOG__LEVEL": "warning",
        "BENCH_BOOTSTRAP": kafka.bootstrap,
        "BENCH_TOPIC": f"{kafka.topic_prefix}events",
        "BENCH_GROUP": f"bench-{peer.name}",
        "BENCH_PARTITIONS": str(PARTITIONS),
    }
    done = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, "-m", peer.module, str(events)],
        env=env,
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    return {
        "name": peer.name,
        "events": measured["events"],
        "events_per_s": measured["events"] / measured["seconds"],
        "cpu_us_per_event": measured["cpu_seconds"] / measured["events"] * 1e6,
    }


async def main() -> None:
    """Load the corpus, run every peer, print the table."""
    parser = argparse.ArgumentParser(prog="make bench-streams ARGS=...", description=__doc__)
    parser.add_argument("--events", type=int, default=600_000, help="size of the corpus")
    parser.add_argument("--per-second", type=int, default=5_000, help="events per second of event time")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedBroker(Path(folder), heap_mb=1024) as broker:
            kafka = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix="bench.", event_partitions=PARTITIONS)
            await apply_topics(kafka)
            with console.status(f"producing {options.events:,} events"):
                await load(kafka, options.events, options.per_second)
            _pin(broker.pid, cores[0])
            results = []
            for peer in PEERS:
                with console.status(f"running {peer.name}"):
                    measured = await asyncio.to_thread(run, peer, kafka, int(options.events * peer.share), cores[-1])
                results.append(measured)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def _pin(pid: int | None, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def show(results: list[dict[str, float | str]]) -> None:
    """Print the table; ratios are ours over theirs."""
    table = Table("peer", "work", "events/s", "CPU µs/event", "ours is", title="stream processors, one core each")
    work = {peer.name: peer.work for peer in PEERS}
    ours = float(results[0]["events_per_s"])
    for row in results:
        rate = float(row["events_per_s"])
        table.add_row(
            str(row["name"]),
            work[str(row["name"])],
            f"{rate:,.0f}",
            f"{row['cpu_us_per_event']:.1f}",
            f"{ours / rate:.1f}x",
        )
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
