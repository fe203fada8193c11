"""`python -m bench.chaos`: stream workers are killed, stopped, started and frozen; every window must be exact.

A zombie is a worker frozen for longer than the session timeout: the others take over its partitions, then it wakes.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from sori.settings.kafka import KafkaSettings
from testkit.stream_faults.run import Plan, Run, run

console = Console(width=120)


async def on_broker(plan: Plan, folder: Path) -> Run:
    """A broker of its own, then the plan."""
    async with EmbeddedBroker(folder / "kafka", heap_mb=512) as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix="chaos.")
        await apply_topics(kafka)
        return await run(kafka, folder, plan, lambda what: console.print(f"  {what}", style="dim"))


def show(done: Run) -> None:
    """The faults and the verdict."""
    table = Table("what", "times", title=f"{done.events:,} events")
    for name, times in sorted(done.faults.items()):
        table.add_row(name, str(times))
    table.add_row("workers down at the end, started again", str(done.ended))
    table.add_row("partitions replayed", str(done.replays))
    table.add_row("partitions taken over from a snapshot", str(done.loaded))
    table.add_row("snapshots refused", str(done.refused))
    console.print(table)
    found = done.verdict
    console.print(
        f"windows: {found.windows:,}, wrong: {len(found.wrong_windows)}; "
        f"wrong device windows: {len(found.wrong_devices)}; "
        f"attacks: {len(found.episodes)}, with exactly one episode: {sum(n == 1 for n in found.episodes.values())}; "
        f"alerts contradicting themselves: {len(found.unversioned)}; others accused: {len(found.strangers)}; "
        f"exact {done.settle_s:.1f} s after the last event"
    )
    for line in [*found.wrong_windows, *found.wrong_devices, *found.open_episodes, *found.unversioned][:20]:
        console.print(f"  {line}", style="red")
    console.print("exact" if found.exact else "NOT EXACT", style="bold green" if found.exact else "bold red")


def figures(done: Run) -> dict[str, Any]:
    """The run as JSON takes it: `asdict` would count a Counter's items."""
    return {**asdict(done), "faults": dict(done.faults)}


def main() -> None:
    """Parse, run, print; exit code 1 unless exact."""
    parser = command_line("python -m bench.chaos", __doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1, help="of traffic and faults")
    parser.add_argument("--rate", type=float, default=1_500.0, help="events per second")
    parser.add_argument("--workers", type=int, default=3, help="stream workers")
    parser.add_argument("--snapshots", choices=("on", "off"), default="on", help="take over from snapshots, or the log")
    parser.add_argument("--keep", type=Path, help="folder for the workers' logs; default a temporary one")
    options = parser.parse_args()
    snapshots = options.snapshots == "on"
    plan = Plan(options.seed, options.minutes * 60, options.rate, workers=options.workers, snapshots=snapshots)
    with scratch_folder("chaos") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        done = asyncio.run(on_broker(plan, folder))
    show(done)
    write_figures(options.json, figures(done))
    raise SystemExit(0 if done.verdict.exact else 1)


if __name__ == "__main__":
    main()
