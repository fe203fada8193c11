"""A query's answer as Grafana makes series of it: one column per value and label, one row per time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Wide:
    """Ascending times, and per series a value for each, None where it has none."""

    times: Sequence[datetime]
    series: Mapping[str, Sequence[Any]]


class Spell(NamedTuple):
    """A series was in a state from one moment to another."""

    name: str
    state: str
    since: datetime
    until: datetime


def wide(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Wide:
    """From long to wide. The first column is the time; text among the others tells series apart, and sorts them."""
    labels = [at for at in range(1, len(names)) if any(isinstance(row[at], str) for row in rows)]
    times = sorted({row[0] for row in rows})
    index = {time: at for at, time in enumerate(times)}
    series: dict[str, list[Any]] = {}
    for row in rows:
        label = " ".join(str(row[at]) for at in labels)
        for at in range(1, len(names)):
            if at not in labels:
                series.setdefault(label or names[at], [None] * len(times))[index[row[0]]] = row[at]
    return Wide(times, dict(sorted(series.items())) if labels else series)


def spells(rows: Sequence[tuple[datetime, str, str | None]], end: datetime) -> list[Spell]:
    """What a state timeline shows of (time, series, state), ascending: a state holds until the series' next row.

    None ends a state without another; the last state of a series holds until `end`.
    """
    found: list[Spell] = []
    holding: dict[str, Spell] = {}
    for time, name, state in rows:
        if name in holding:
            found.append(holding.pop(name)._replace(until=time))
        if state is not None:
            holding[name] = Spell(name, state, time, end)
    return sorted([*found, *holding.values()], key=lambda spell: spell.since)
