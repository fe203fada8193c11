"""Evaluates the fraud rules on labelled traffic: recall, precision, time to detect, false alerts.

Every scenario of the simulator, over seeds that no threshold was tuned with, goes through the very operators that run
in production, with partitions, disorder and repeated deliveries, on a simulated clock. Exit code 1 when a target is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.fraud.offline import Offline
from bench.fraud.scoring import Score, score
from bench.fraud.summary import Line, Summary, summarise
from simulator.scenarios import SCENARIOS
from simulator.traffic import plan
from sori.settings.rules import Rule, RulesSettings
from sori.suggest import none_of

#: Seeds below this were looked at while thresholds were chosen; the report takes seeds from here on.
FIRST_SEED = 2000
_HOUR_MS = 3_600_000
_START_MS = 1_790_000_000_000 - 1_790_000_000_000 % _HOUR_MS
RULES = tuple(name for name, field in RulesSettings.model_fields.items() if isinstance(field.default, Rule))


def evaluate(scenario: str, seed: int, duration_s: float, rate: float) -> Score:
    """One run; the seed also chooses the hour of the day."""
    rules = RulesSettings()
    made = plan(SCENARIOS[scenario], seed, _START_MS + seed % 24 * _HOUR_MS, duration_s, rate)
    return score(made, Offline(rules).run(made), rules)


def _evaluate(task: tuple[str, int, float, float]) -> Score:
    return evaluate(*task)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, write; returns the exit code."""
    options = _options(argv)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    names = options.scenarios
    tasks = [(name, seed, options.duration, options.rate) for seed, name in product(seeds, names)]
    console, began = Console(width=None if sys.stdout.isatty() else 120), time.perf_counter()
    scores: list[Score] = []
    with ProcessPoolExecutor(options.processes) as pool:
        try:
            running = pool.map(_evaluate, tasks, chunksize=1)
            for one in track(running, "evaluating", total=len(tasks), console=console):
                scores.append(one)  # noqa: PERF402 - what is there when interrupted counts
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            console.print(f"[yellow]interrupted:[/] these are the first {len(scores)} of {len(tasks)} runs")
    summary = summarise(scores, RULES)
    console.print(_table("per rule", summary.rules), _table("per attack, any apt rule", summary.attacks))
    for missed in _false(scores):
        console.print(missed)
    console.print(
        f"{summary.runs} of {len(tasks)} runs ({len(names)} scenarios, {options.seeds} seeds from "
        f"{options.first_seed}; {options.duration:g} s at {options.rate:g} events/s each), "
        f"{summary.events:,} events in {time.perf_counter() - began:.0f} s; "
        f"recall {summary.overall.recall}, precision {summary.overall.precision}, "
        f"{summary.overall.false_per_million} false alerts per million legitimate events, "
        f"median {summary.overall.median_s} s, alerts on aired spots: {summary.crowd_alerts}"
    )
    if options.json:
        options.json.write_text(json.dumps(summary.rows(), indent=2) + "\n", encoding="utf-8")
    if options.picture:
        from bench.fraud.picture import draw  # noqa: PLC0415 - only who wants the picture needs matplotlib

        draw(summary, scores, options.picture)
    missed_targets = _missed(summary)
    for target in missed_targets:
        console.print(f"[red]missed:[/] {target}")
    return 1 if missed_targets else 0


def _names(text: str) -> list[str]:
    """Scenarios by their names, separated by commas. Raises ArgumentTypeError."""
    names = text.split(",")
    for name in names:
        if name not in SCENARIOS:
            raise argparse.ArgumentTypeError(none_of("scenario", name, SCENARIOS))
    return names


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eval-fraud", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="seeds per scenario")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="first seed; below 2000: used for tuning")
    parser.add_argument(
        "--scenarios", type=_names, default=list(SCENARIOS), help="comma-separated; default: all of them"
    )
    parser.add_argument("--duration", type=float, default=300.0, help="seconds of event time per run")
    parser.add_argument("--rate", type=float, default=50.0, help="events/s per run")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="runs at once")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--picture", type=Path, help="write a picture here (.svg or .png)")
    return parser.parse_args(argv)


def _table(title: str, lines: Sequence[Line]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(title.split(",", maxsplit=1)[0].removeprefix("per "))
    for column in ("planted", "recall", "alerts", "precision", "median s", "p95 s", "false/1M"):
        table.add_column(column, justify="right")
    for line in lines:
        cells = (line.planted, line.recall, line.alerts, line.precision, line.median_s, line.p95_s)
        table.add_row(line.name, *("-" if cell is None else str(cell) for cell in cells), str(line.false_per_million))
    return table


def _false(scores: Sequence[Score]) -> Iterator[str]:
    for one in scores:
        for alert in one.alerts:
            if not alert.true:
                yield f"false: {one.scenario} seed {one.seed}: {alert.rule} {'/'.join(alert.subject)}"
        for attack in one.attacks:
            if not attack.rules:
                yield f"not found: {one.scenario} seed {one.seed}: {attack.kind}"


def _missed(summary: Summary) -> list[str]:
    """Which targets of the issue are missed."""
    total = summary.overall
    missed = []
    if total.recall is not None and total.recall < 0.95:
        missed.append(f"recall {total.recall} < 0.95")
    if total.precision is not None and total.precision < 0.95:
        missed.append(f"precision {total.precision} < 0.95")
    if total.median_s is not None and total.median_s > 5:
        missed.append(f"median time to detect {total.median_s} s > 5 s")
    if summary.crowd_alerts:
        missed.append(f"{summary.crowd_alerts} alerts on aired spots")
    return missed


if __name__ == "__main__":
    sys.exit(main())
