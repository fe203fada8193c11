"""Do events, windows and roll-ups say the same? Each is counted from the one before it, and every difference is listed.

What has aged out is left alone: windows outlive the events that they were counted from, and roll-ups the windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.query.ctr_sql import time_literal
from api.query.ctr_sums import FAMILIES, sums
from runtime.clickhouse.kept import Kept, read_kept

DIMENSIONS = ("minute", "account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
#: Identities that are grouped at once: bounds the memory of the query.
_AT_ONCE = 4_000_000
_LEVELS = {"5m": 300, "1h": 3600, "1d": 86_400}
_DEVICE_KEYS = ("minute", "account_id", "device_id")
_DEVICE_COUNTS = {
    "impressions": "campaign.impression",
    "clicks": "campaign.click",
    "authentications": "authentication",
}

#: Runs SQL and returns its rows as dicts.
RunQuery = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Check:
    """What is compared: `keys` name what differs, `counts` are pairs of columns that should be equal."""

    title: str
    keys: tuple[str, ...]
    counts: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Caps:
    """How many devices windows track: those beyond have no window of their own, which is no difference."""

    devices: int
    account_devices: int


def _pairs(one: str, other: str, *more: str) -> dict[str, tuple[str, str]]:
    return {name: (f"{name}_in_{one}", f"{name}_in_{other}") for name in ("impressions", "clicks", *more)}


CHECKS = {
    "windows": Check(
        "Windows that differ from the raw events (events / windows)", DIMENSIONS, _pairs("events", "windows")
    ),
    "devices": Check(
        "Device windows that differ from the raw events (events / windows)",
        _DEVICE_KEYS,
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
    """Every difference, with the name of its check; empty when all agree. `since` and `until` bound the event time."""
    kept = read_kept(lambda sql: (tuple(row.values()) for row in run_query(sql)))
    first = _later(since, kept.countable)

    def count(sql: str) -> int:
        return int(run_query(f"SELECT count() AS n FROM {sql}")[0]["n"])  # noqa: S608 - literals of ours

    statements = [("windows", differences_sql(first, until))]
    stored = count(f"events_current {_where(_bounds('created_at', first, until))}")
    statements += [("devices", sql) for sql in _devices_sql(stored, first, until, caps)]
    statements += [("roll-ups", sql) for sql in _rollups_sql(kept, since, until)]
    # copies may lie beyond the bounds: the events within say which are looked for, in all that is kept
    everywhere = count(f"events_current {_where(_bounds('created_at', _later(None, kept.countable), None))}")
    statements += [("repetitions", sql) for sql in _repeated_sql(everywhere, kept, first, until)]
    return [{"check": name, **row} for name, sql in statements for row in run_query(sql)]


def differences_sql(since: datetime | None = None, until: datetime | None = None) -> str:
    """Windows whose counts differ, with both counts; `since` and `until` bound the minutes, in event time."""
    keys = ", ".join(DIMENSIONS)
    bounds = _bounds("minute", since, until)
    return f"""
        SELECT {keys},
            sum(raw_impressions) AS impressions_in_events, sum(window_impressions) AS impressions_in_windows,
            sum(raw_clicks) AS clicks_in_events, sum(window_clicks) AS clicks_in_windows
        FROM
        (
            SELECT toStartOfMinute(created_at) AS minute, account_id, campaign_id, material_id, platform,
                country, region, city,
                countIf(event = 'campaign.impression') AS raw_impressions,
                countIf(event = 'campaign.click') AS raw_clicks,
                0 AS window_impressions, 0 AS window_clicks
            FROM events_current
            WHERE event IN ('campaign.impression', 'campaign.click') {"AND " + " AND ".join(bounds) if bounds else ""}
            GROUP BY {keys}
            UNION ALL
            SELECT {keys}, 0, 0, impressions, clicks FROM ctr_by_minute {_where(bounds)}
        )
        GROUP BY {keys}
        HAVING impressions_in_events != impressions_in_windows OR clicks_in_events != clicks_in_windows
        ORDER BY {keys}"""  # noqa: S608 - only literals of ours


def _devices_sql(events: int, since: datetime | None, until: datetime | None, caps: Caps | None) -> Iterator[str]:
    """Windows of devices beside the raw events; a device that has none is left out where a cap was reached."""
    keys, minutes = ", ".join(_DEVICE_KEYS), _bounds("minute", since, until)
    counted = ", ".join(f"countIf(event = '{event}') AS e_{name}" for name, event in _DEVICE_COUNTS.items())
    sums = ", ".join(
        f"sum(e_{name}) AS {name}_in_events, sum(w_{name}) AS {name}_in_windows" for name in _DEVICE_COUNTS
    )
    differ = " OR ".join(f"{name}_in_events != {name}_in_windows" for name in _DEVICE_COUNTS)
    zeros = ", ".join(f"0 AS w_{name}" for name in _DEVICE_COUNTS)
    names = ", ".join(f"'{event}'" for event in _DEVICE_COUNTS.values())
    windows = f"FROM device_by_minute {_where(minutes)}"
    full = "1"
    if caps is not None:
        many = f"SELECT minute {windows} GROUP BY minute HAVING count() >= {caps.devices}"
        of_one = (
            f"SELECT minute, account_id {windows} GROUP BY minute, account_id HAVING count() >= {caps.account_devices}"
        )
        full = f"sum(tracked) > 0 OR (minute NOT IN ({many}) AND (minute, account_id) NOT IN ({of_one}))"
    slices = max(1, -(-events // _AT_ONCE))
    for number in range(slices):
        mine = f"cityHash64(account_id, device_id) % {slices} = {number}"
        of_events = _where([*minutes, f"event IN ({names})", "device_id != ''", mine])
        yield f"""
            SELECT {keys}, {sums}
            FROM
            (
                SELECT toStartOfMinute(created_at) AS minute, account_id, device_id, {counted}, {zeros}, 0 AS tracked
                FROM events_current {of_events} GROUP BY {keys}
                UNION ALL
                SELECT {keys}, {", ".join("0" for _ in _DEVICE_COUNTS)}, {", ".join(_DEVICE_COUNTS)}, 1
                FROM device_by_minute {_where([*minutes, mine])}
            )
            GROUP BY {keys} HAVING ({differ}) AND ({full}) ORDER BY {keys}"""  # noqa: S608 - same


def _rollups_sql(kept: Kept, since: datetime | None, until: datetime | None) -> Iterator[str]:
    """Each length beside the next shorter one, so that windows are read once a family; what is whole and kept."""
    for name, columns in FAMILIES.items():
        names = [column for column in DIMENSIONS if column in columns]
        below, at = "ctr_by_minute", "minute"
        for level, seconds in _LEVELS.items():
            first = _later(since, kept.rollable, seconds)
            last = datetime.fromtimestamp(int(until.timestamp()) // seconds * seconds, UTC) if until else None
            view, keys = sums(columns, first, last, seconds), ", ".join(("time", *names))
            start = f"toDateTime(intDiv(toUInt32({{0}}), {seconds}) * {seconds}, 'UTC')"
            yield f"""
                SELECT '{name} {level}' AS view, {keys}, sum(wi) AS impressions_in_windows,
                    sum(ri) AS impressions_in_rollups, sum(wc) AS clicks_in_windows, sum(rc) AS clicks_in_rollups
                FROM
                (
                    SELECT {start.format(at)} AS start, {", ".join(names)}, sum(impressions) AS wi, sum(clicks) AS wc,
                        0 AS ri, 0 AS rc
                    FROM {below} {_where(_bounds(at, first, last))} GROUP BY start, {", ".join(names)}
                    UNION ALL
                    SELECT {start.format("time")}, {", ".join(names)}, 0, 0, impressions, clicks FROM {view}
                ) AS both
                GROUP BY start AS time, {", ".join(names)}
                HAVING impressions_in_windows != impressions_in_rollups OR clicks_in_windows != clicks_in_rollups
                ORDER BY {keys}"""  # noqa: S608 - names and literals of ours
            below, at = view, "time"


def _repeated_sql(events: int, kept: Kept, since: datetime | None, until: datetime | None) -> Iterator[str]:
    """One event is one row, whatever its deliveries said; of those with a row within the bounds, all that is kept."""
    slices = max(1, -(-events // _AT_ONCE))
    key, bounds = "cityHash64(account_id, event, identity)", _bounds("created_at", since, until)
    whole = _bounds("created_at", _later(None, kept.countable), None)
    for number in range(slices):
        mine = f"{key} % {slices} = {number}"
        within = [f"{key} IN (SELECT {key} FROM events_current {_where([*bounds, mine])})"] if bounds else []  # noqa: S608 - ours
        looked_at = [*whole, mine, *within]
        twice = f"SELECT {key} AS k FROM events_current {_where(looked_at)} GROUP BY k HAVING count() > 1"  # noqa: S608 - ours
        yield f"""
            SELECT account_id, event, identity, 1 AS expected, count() AS deliveries
            FROM events_current {_where([*whole, mine, f"{key} IN ({twice})"])}
            GROUP BY account_id, event, identity HAVING deliveries > 1
            ORDER BY account_id, event, identity"""  # noqa: S608 - same


def _later(since: datetime | None, kept_s: int, step_s: int = 1) -> datetime | None:
    """The later of both, at the next whole step; None: no bound."""
    bound_s = max(kept_s, -(-since.timestamp() // 1) if since else 0)
    return datetime.fromtimestamp(-(-int(bound_s) // step_s) * step_s, UTC) if bound_s else None


def _bounds(column: str, since: datetime | None, until: datetime | None) -> list[str]:
    bounds = [f"{column} >= {time_literal(since)}"] if since else []
    return bounds + ([f"{column} < {time_literal(until)}"] if until else [])


def _where(bounds: list[str]) -> str:
    return "WHERE " + " AND ".join(bounds) if bounds else ""
