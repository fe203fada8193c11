"""Cuts what is to be compared into stretches of time that fit into memory, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Span:
    """[since, until), None: without an end; what is in it is looked at in so many parts, by a hash of its keys."""

    since: datetime | None = None
    until: datetime | None = None
    parts: int = 1

    def hashed(self, keys: str) -> Iterator[list[str]]:
        """Conditions, one list for each part."""
        for part in range(self.parts):
            yield [f"cityHash64({keys}) % {self.parts} = {part}"] if self.parts > 1 else []


def cut(counted: Iterable[tuple[int, int]], whole: Span, most: int) -> list[Span]:
    """Stretches of `whole` with at most so many rows each; `counted` has rows by time (epoch seconds) from which on.

    They begin where one of these times is, and leave nothing of `whole` out. What is too much at once is in parts.
    """
    edges: list[datetime] = []
    held: list[int] = [0]
    for start, rows in sorted(counted):
        moment = datetime.fromtimestamp(start, UTC)
        inside = (whole.since is None or moment > whole.since) and (whole.until is None or moment < whole.until)
        if held[-1] and held[-1] + rows > most and inside:
            edges.append(moment)
            held.append(0)
        held[-1] += rows
    ends = [whole.since, *edges, whole.until]
    return [
        Span(since, until, max(1, -(-rows // most)))
        for since, until, rows in zip(ends[:-1], ends[1:], held, strict=True)
    ]
