"""`python -m bench.recovery`: how long a stream worker is away, by rate and lateness.

First the log is filled with `lateness` seconds of traffic, which goes on at the rate then. `kill`: the only worker is
killed by `kill -9` and started again at once, as a supervisor does; seconds until it has its partitions, has replayed,
and has caught up: what is committed lies no more than two seconds of traffic behind what was sent. `rolling`: two
workers are replaced one after the other; how late alerts are meanwhile, with static and dynamic members, and where the
next one starts before the last one goes (`surge`), and loads its state beforehand (`standby`). One log serves all kinds
of kills of a rate and lateness; what does not come to its end within minutes is said in its row, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, scratch_folder, write_figures
from bench.recovery.kill import Recovery, recoveries
from bench.recovery.pipeline import filled
from bench.recovery.rolling import Rolling, rolling
from broker.process import EmbeddedBroker

console = Console(width=140)


def show_kills(found: list[Recovery]) -> None:
    """The table of kills."""
    table = Table(title="kill -9", title_justify="left")
    seconds = ("assigned s", "loading s", "replayed s", "caught up s")
    for name in ("events/s", "lateness s", "member", "snapshots", *seconds, "events replayed", "snapshot MB"):
        table.add_column(name, justify="right")
    for row in found:
        times = (row.assigned_s, row.loading_s, row.replayed_s, row.caught_up_s)
        table.add_row(
            f"{row.rate:,.0f}",
            str(row.lateness_s),
            "static" if row.static else "dynamic",
            "on" if row.snapshots else "off",
            *([row.gave_up] if row.gave_up else [f"{value:.1f}" for value in times]),
            *([] if row.gave_up else [f"{row.replayed_events:,}", f"{row.snapshot_bytes / 1e6:,.1f}"]),
        )
    console.print(table)


def show_rolling(found: list[Rolling]) -> None:
    """The table of rolling restarts."""
    table = Table(title="rolling restart of two workers: alert latency, seconds", title_justify="left")
    for name in ("events/s", "lateness s", "member", "p99 before", "p50", "p99", "max", "alerts", "missing", "steps s"):
        table.add_column(name, justify="right")
    for row in found:
        latencies = [f"{value}" for value in (row.calm_p99_s, row.p50_s, row.p99_s, row.max_s)]
        table.add_row(
            f"{row.rate:,.0f}",
            str(row.lateness_s),
            row.member,
            *([row.gave_up] if row.gave_up else latencies),
            *([] if row.gave_up else [str(row.alerts), str(row.missing), ", ".join(map(str, row.step_s))]),
        )
    console.print(table)


async def suite(
    what: list[str], where: list[tuple[float, int]], members: list[str], snapshots: list[bool]
) -> tuple[list[Recovery], list[Rolling]]:
    """Everything asked for, on one broker; each result is told as it comes."""
    kills, rolls = list[Recovery](), list[Rolling]()
    say: Callable[[object], None] = lambda told: console.print(told, style="dim")  # noqa: E731 - one line
    with scratch_folder("recovery") as scratch:
        folder = Path(scratch)
        async with EmbeddedBroker(folder / "kafka", heap_mb=512) as broker:
            for rate, lateness_s in where:
                if "kill" in what:
                    async with filled(broker.bootstrap, folder, rate, lateness_s, say) as pipeline:
                        for member in (each for each in members if each in {"static", "dynamic"}):
                            async for one in recoveries(pipeline, static=member == "static", snapshots=snapshots):
                                kills.append(one)
                                say(asdict(one))
                for member in members if "rolling" in what else ():
                    rolls.append(await rolling(broker.bootstrap, folder, (rate, lateness_s), member, say))
                    say(asdict(rolls[-1]))
    return kills, rolls


def main() -> None:
    """Parse, measure, print."""
    parser = command_line("python -m bench.recovery", __doc__)
    parser.add_argument("what", nargs="*", choices=["kill", "rolling", []], help="default: both")
    parser.add_argument("--rates", default="1000,5000", help="events per second, comma-separated")
    parser.add_argument("--lateness", default="600", help="allowed lateness in seconds, comma-separated; from 569")
    parser.add_argument(
        "--members", default="static", help="static: streams.instance_id is set; dynamic; surge; standby"
    )
    parser.add_argument("--snapshots", default="on,off", help="take over from snapshots, or from the log alone")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    latenesses = [int(seconds) for seconds in options.lateness.split(",")]
    members = options.members.split(",")
    if unknown := set(members) - {"static", "dynamic", "surge", "standby"}:
        parser.error(f"no such member: {', '.join(sorted(unknown))}; there are static, dynamic, surge and standby")
    snapshots = [kept == "on" for kept in options.snapshots.split(",")]
    what = options.what or ["kill", "rolling"]
    kills, rolls = asyncio.run(suite(what, list(product(rates, latenesses)), members, snapshots))
    if kills:
        show_kills(kills)
    if rolls:
        show_rolling(rolls)
    figures = [{"name": "recovery", **asdict(row)} for row in kills]
    write_figures(options.json, [*figures, *({"name": "rolling", **asdict(row)} for row in rolls)])


if __name__ == "__main__":
    main()
