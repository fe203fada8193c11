"""Evaluates the fraud rules on worlds in the field: recall per level and kind, precision by alert and by incident,
whom they accuse, and how long they take from an attack's first event.

Whole worlds of the simulator go through the very operators that run in production, on a simulated clock. Seeds below
1000 are for development; what is reported comes from seeds nobody has looked at. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.fraud.field.recording import Recording
from bench.fraud.field.report import Report, report
from bench.fraud.field.scoring import WorldScore, score
from simulator.field_plan import FIELD, FIELD_CALM, field_plan
from sori.settings.rules import RulesSettings

FIRST_UNSEEN = 1000
_HOUR_MS = 3_600_000
_START_MS = 1_790_000_000_000 - 1_790_000_000_000 % _HOUR_MS
#: What the project asks of its rules: recall by level, precision by alert and by incident, seconds from first event.
TARGETS = {"obvious": 1.0, "should": 0.95, "stealthy": 0.4}
_PRECISION, _BY_INCIDENT, _SECONDS = 0.98, 0.95, 10.0


def evaluate(seed: int, duration_s: float, rate: float, *, fraud: bool = True) -> WorldScore:
    """One world; the seed also chooses the hour of the day."""
    rules = RulesSettings()
    made = field_plan(FIELD if fraud else FIELD_CALM, seed, _START_MS + seed % 24 * _HOUR_MS, duration_s, rate)
    run = Recording(rules)
    outcome = run.run(made)
    return score(seed, made.attacks, made.habits, list(run.sent.values()), outcome.alerts)


def _evaluate(task: tuple[int, float, float, bool]) -> WorldScore:
    seed, duration_s, rate, fraud = task
    return evaluate(seed, duration_s, rate, fraud=fraud)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print, write; returns the exit code."""
    options = _options(argv)
    first = FIRST_UNSEEN if options.first_seed is None and options.unseen else options.first_seed or 1
    tasks = [
        (seed, options.minutes * 60, options.rate, not options.calm) for seed in range(first, first + options.worlds)
    ]
    console, began = Console(width=None if sys.stdout.isatty() else 140), time.perf_counter()
    with ProcessPoolExecutor(options.processes) as pool:
        running = pool.map(_evaluate, tasks, chunksize=1)
        worlds = list(track(running, "evaluating", total=len(tasks), console=console))
    summary = report(worlds)
    for table in tables(summary):
        console.print(table)
    if options.details:
        for line in details(worlds):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    kind = "seeds never looked at" if first >= FIRST_UNSEEN else "development seeds"
    console.print(
        f"{summary.worlds} worlds of {options.minutes:g} min at {options.rate:g} events/s ({kind}, from {first}), "
        f"{summary.events:,} events in {time.perf_counter() - began:.0f} s; alerts on aired spots: {summary.on_airings}"
    )
    if options.json:
        options.json.write_text(json.dumps(summary.rows(), indent=2) + "\n", encoding="utf-8")
    if options.picture:
        from bench.fraud.field.picture import draw  # noqa: PLC0415 - only who wants the picture needs matplotlib

        draw(summary, worlds, options.picture)
    missed = list(_missed(summary))
    for target in missed:
        console.print(f"[red]missed:[/] {target}")
    return 1 if missed else 0


def tables(summary: Report) -> Iterator[Table]:
    """Recall, precision, and whom the rules accuse."""
    recall = _table("attacks", "level", "planted", "found", "recall", "s from first event", "s from evidence")
    for line in summary.recalls:
        cells = (line.planted, line.found, line.recall, line.first_s, line.evidence_s)
        recall.add_row(line.kind, line.level, *("-" if cell is None else str(cell) for cell in cells))
    yield recall
    precision = _table("precision", "all", "false", "withdrawn", "precision")
    for one in summary.precisions:
        precision.add_row(one.what, str(one.all), str(one.false), str(one.withdrawn), str(one.precision))
    yield precision
    honest = _table("honest traffic", "scenarios", "accused", "alerts", "withdrawn", "rules")
    for kind in summary.accused:
        rules = ", ".join(f"{rule} {count}" for rule, count in sorted(kind.rules.items()))
        honest.add_row(kind.kind, str(kind.scenarios), str(kind.accused), str(kind.alerts), str(kind.withdrawn), rules)
    yield honest


def details(worlds: Sequence[WorldScore]) -> Iterator[str]:
    """Each attack that was missed and each honest thing that was accused."""
    for world in worlds:
        for one in world.attacks:
            if one.from_first_s is None:
                a = one.attack
                seconds, hint = (a.end_ms - a.start_ms) // 1000, " (touched)" if one.touched else ""
                yield (
                    f"missed{hint}: seed {world.seed} {a.id} {a.level} account {a.account_id} "
                    f"{a.subject_kind} {a.subject}: {one.events} events in {seconds} s"
                )
        for alert in world.alerts:
            if not alert.attack:
                seconds = (alert.end_ms - alert.start_ms) // 1000
                yield (
                    f"accused: seed {world.seed} {alert.honest}: {alert.rule} {alert.subject} of {alert.account}, "
                    f"{len(alert.about)} events in {seconds} s{' (withdrawn)' if alert.withdrawn else ''}"
                )


def _table(*columns: str) -> Table:
    table = Table()
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="left" if column in {"level", "rules"} else "right")
    return table


def _missed(summary: Report) -> Iterator[str]:
    for level, target in TARGETS.items():
        line = summary.level(level)
        if line is not None and line.recall < target:
            yield f"recall of {level} attacks {line.recall} < {target}"
    obvious = summary.level("obvious")
    if obvious is not None and obvious.first_s is not None and obvious.first_s > _SECONDS:
        yield f"median of obvious attacks {obvious.first_s} s > {_SECONDS:g} s from the first event"
    for one, least in zip(summary.precisions, (_PRECISION, _BY_INCIDENT), strict=False):
        if one.precision is not None and one.precision < least:
            yield f"precision by {one.what} {one.precision} < {least}"
    if summary.on_airings:
        yield f"{summary.on_airings} alerts on aired spots"


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="eval-fraud", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--worlds", type=int, default=4, help="how many, each of its own seed")
    parser.add_argument("--first-seed", type=int, help="default: 1, or 1000 with --unseen")
    parser.add_argument("--unseen", action="store_true", help="seeds from 1000 on; do not look while you tune")
    parser.add_argument("--calm", action="store_true", help="without fraud: every alert is false")
    parser.add_argument("--minutes", type=float, default=120.0, help="event time per world")
    parser.add_argument("--rate", type=float, default=30.0, help="events/s per world")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="worlds at once")
    parser.add_argument("--details", action="store_true", help="list what was missed and who was accused")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--picture", type=Path, help="write a picture here (.svg or .png)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
