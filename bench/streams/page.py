"""Puts figures into docs/performance.md, between the comments that mark their places."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.streams.summary import HEADINGS, Row, cells, work

PAGE = Path(__file__).parent.parent.parent / "docs" / "performance.md"


def save_peers(rows: Sequence[Row], machine: str, options: argparse.Namespace) -> None:
    """The comparison with the peers."""
    command = f"python -m bench.streams --events {options.events} --rounds {options.rounds}"
    lines = [*markdown(HEADINGS, [cells(row) for row in rows]), ""]
    lines += [f"- **{row['name']}** {row['version']}: {work(row)}." for row in rows]
    fill("streams-peers", [f"`{command}` on {machine}; medians of {options.rounds} rounds:", "", *lines])


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
