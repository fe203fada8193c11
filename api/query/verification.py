"""Do events, windows and roll-ups say the same? Each is counted from the one before it, and every difference is listed.

What has aged out is left alone: windows outlive the events that they were counted from, and roll-ups the windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.query.verification_spans import Span, cut
from api.query.verification_sql import (
    DEVICE_KEYS,
    DIMENSIONS,
    Caps,
    counting_sql,
    devices_sql,
    differences_sql,
    later,
    repeated_sql,
    rollups_sql,
    windows_sql,
)
from runtime.clickhouse.kept import Kept, read_kept

__all__ = ["CHECKS", "DIMENSIONS", "Caps", "differences_sql", "verify"]

#: Rows that are grouped at once: bounds the memory of a query.
AT_ONCE = 500_000
_IDENTITIES_AT_ONCE = 4_000_000
_HOUR_S, _DAY_S = 3600, 86_400

#: Runs SQL and returns its rows as dicts.
RunQuery = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Check:
    """What is compared: `keys` name what differs, `counts` are pairs of columns that should be equal."""

    title: str
    keys: tuple[str, ...]
    counts: dict[str, tuple[str, str]]


def _pairs(one: str, other: str, *more: str) -> dict[str, tuple[str, str]]:
    return {name: (f"{name}_in_{one}", f"{name}_in_{other}") for name in ("impressions", "clicks", *more)}


CHECKS = {
    "windows": Check(
        "Windows that differ from the raw events (events / windows)", DIMENSIONS, _pairs("events", "windows")
    ),
    "devices": Check(
        "Device windows that differ from the raw events (events / windows)",
        DEVICE_KEYS,
        _pairs("events", "windows", "authentications"),
    ),
    "roll-ups": Check(
        "Roll-ups that differ from the windows (windows / roll-ups)",
        ("view", "time", *DIMENSIONS[1:]),
        _pairs("windows", "rollups"),
    ),
    "repetitions": Check(
        "Events that are there more than once (expected / found)",
        ("account_id", "event", "identity"),
        {"deliveries": ("expected", "deliveries")},
    ),
}


def verify(
    run_query: RunQuery, since: datetime | None = None, until: datetime | None = None, caps: Caps | None = None
) -> list[dict[str, Any]]:
    """Every difference, with the name of its check; empty when all agree. `since` and `until` bound the event time.

    In stretches of time, one after the other, so that memory does not grow with what is stored.
    """
    kept = read_kept(lambda sql: (tuple(row.values()) for row in run_query(sql)))
    statements = _statements(run_query, kept, Span(since, until), caps)
    return [{"check": name, **row} for name, sql in statements for row in run_query(sql)]


def _statements(run_query: RunQuery, kept: Kept, bounds: Span, caps: Caps | None) -> Iterator[tuple[str, str]]:
    whole = Span(later(bounds.since, kept.countable), bounds.until)

    def counted(table: str, column: str, step_s: int) -> list[tuple[int, int]]:
        return [(int(row["start"]), int(row["n"])) for row in run_query(counting_sql(table, column, step_s, whole))]

    minutes = [
        *counted("events", "created_at", _HOUR_S),
        *counted("ctr_windows", "window_start", _HOUR_S),
        *counted("device_windows", "window_start", _HOUR_S),
    ]
    for span in cut(_summed(minutes), whole, AT_ONCE):
        yield from (("windows", sql) for sql in windows_sql(span))
        yield from (("devices", sql) for sql in devices_sql(span, caps))
    for span in cut(counted("ctr_windows", "window_start", _DAY_S), bounds, AT_ONCE):
        yield from (("roll-ups", sql) for sql in rollups_sql(kept, span))
    stored = int(run_query("SELECT count() AS n FROM events")[0]["n"])
    yield from (
        ("repetitions", sql)
        for sql in repeated_sql(-(-stored // _IDENTITIES_AT_ONCE) or 1, kept, whole.since, whole.until)
    )


def _summed(counted: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: Counter[int] = Counter()
    for start, rows in counted:
        found[start] += rows
    return sorted(found.items())
