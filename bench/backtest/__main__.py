"""`python -m bench.backtest`: events a second of a backtest from a file, new rules against those in force.

The corpus is that of `make bench-streams`: a Parquet file as `sori export` writes it, its rows as JSON lines, and
bodies alone. What is measured is the command but for its start: reading, decoding, both hops with the operators that
run live, the collector, the processes' start. By CPU time too, since that is what a busy machine does not distort as
much. The new rules differ in one threshold from those in force.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.backtest.corpus import PARTITIONS, write
from bench.common.command_line import command_line, scratch_folder, write_figures
from cli.backtest.run import Asked, alerts_of
from sori.settings import Settings
from sori.settings.rules import RulesSettings
from streams.backtest.sources.ndjson import NdjsonHistory
from streams.backtest.sources.parquet import ParquetHistory

_NEW = RulesSettings.model_validate({"device_click_burst": {"floor": 15}})


def measure(path: Path, events: int, processes: int) -> dict[str, float | str]:
    """One backtest."""
    history = ParquetHistory(path) if path.suffix == ".parquet" else NdjsonHistory(path, PARTITIONS)
    asked = Asked(Settings(), (RulesSettings(), _NEW), None, None, processes=processes)
    began, cpu = time.perf_counter(), _cpu_s()
    alerts = alerts_of(history, asked, Console(quiet=True))
    seconds, used = time.perf_counter() - began, _cpu_s() - cpu
    return {
        "name": f"{path.name}, processes: {processes}",
        "events": events,
        "processes": processes,
        "events_per_s": events / seconds,
        "cpu_us_per_event": used / events * 1e6,
        "alerts": len(alerts[0]),
    }


def main() -> None:
    """Write the files, run, print."""
    parser = command_line("python -m bench.backtest", __doc__ or "")
    parser.add_argument("--events", type=int, default=2_000_000, help="size of the corpus")
    parser.add_argument("--per-second", type=int, default=5_000, help="events per second of event time")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="beside a run in one process")
    options = parser.parse_args()
    console = Console()
    with scratch_folder("backtest") as folder:
        with console.status(f"writing {options.events:,} events"):
            paths = write(Path(folder), options.events, options.per_second)
        # several first: a process that has run a backtest holds memory that the next one would inherit
        counts = sorted({1, options.processes}, reverse=True)
        results = [measure(path, options.events, count) for count in counts for path in paths]
    table = Table("backtest of", "events/s", "events per CPU second", "CPU µs/event", "alerts")
    for row in results:
        per_cpu = 1e6 / float(row["cpu_us_per_event"])
        figures = (f"{row['events_per_s']:,.0f}", f"{per_cpu:,.0f}", f"{row['cpu_us_per_event']:.2f}")
        table.add_row(str(row["name"]), *figures, str(row["alerts"]))
    console.print(table)
    write_figures(options.json, results)


def _cpu_s() -> float:
    """Of this process and those that it has waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


if __name__ == "__main__":
    main()
