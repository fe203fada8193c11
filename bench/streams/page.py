"""Puts figures into docs/performance.md, between the comments that mark their places."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.streams.summary import HEADINGS, Row, cells, work

Curves = dict[str, list[dict[str, float]]]
PAGE = Path(__file__).parent.parent.parent / "docs" / "performance.md"


def save_peers(rows: Sequence[Row], machine: str, options: argparse.Namespace) -> None:
    """The comparison with the peers."""
    command = shlex.join(["python", "-m", "bench.streams", *sys.argv[1:]])
    rounds = f"{options.events:,} events, medians over {options.rounds} round(s), for slow peers {options.slow_rounds}"
    lines = [*markdown(HEADINGS, [cells(row) for row in rows]), ""]
    lines += [f"- **{row['name']}** {row['version']}: {work(row)}." for row in rows]
    fill("streams-peers", [f"`{command}` on {machine}; {rounds}:", "", *lines])


_LABELS = {
    "devices": "live devices",
    "cpu_us_per_event": "CPU µs/event",
    "flush_us_per_event": "of it in flushes",
    "rss_mb": "state, MB",
    "mb_per_million": "MB per million devices",
    "events_per_s": "events/s",
}


def save_growth(curves: Curves, machine: str, options: argparse.Namespace) -> None:
    """The growth curves."""
    command = shlex.join(["python", "-m", "bench.streams.growth", *sys.argv[1:]])
    lines = [f"`{command}` on {machine}; {options.events:,} events for each point:", ""]
    for rows in curves.values():
        if rows:
            text = [
                [format(value, ",.1f" if value < 1000 else ",.0f").removesuffix(".0") for value in row.values()]
                for row in rows
            ]
            lines += [*markdown([_LABELS.get(name, name) for name in rows[0]], text), ""]
    picture = "![CPU per event against live devices, partitions and workers](pictures/streams-growth.svg)"
    fill("streams-growth", [*lines, picture])


def fill(mark: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->`. Raises ValueError where a mark is missing."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    if begin not in text or end not in text:
        raise ValueError(f"{page.name} has no {mark!r}")
    head, _, rest = text.partition(begin)
    page.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2], encoding="utf-8")


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table; all columns but the first are numbers, to the right."""
    made = [f"| {' | '.join(headings)} |", "|---|" + "--:|" * (len(headings) - 1)]
    return made + [f"| {' | '.join(row)} |" for row in rows]
