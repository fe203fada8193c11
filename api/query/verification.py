"""Do events, windows and roll-ups say the same? Each is counted from the one before it, and every difference is listed.

What has aged out is left alone: windows outlive the events that they were counted from, and roll-ups the windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.query.ctr_sql import time_literal
from runtime.clickhouse.kept import Kept, read_kept

DIMENSIONS = ("minute", "account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
#: Identities that are grouped at once: bounds the memory of the query.
_AT_ONCE = 4_000_000
_FOR_EVER = 2**32 - 1
_LEVELS = {"5m": 300, "1h": 3600, "1d": 86_400}

#: Runs SQL and returns its rows as dicts.
RunQuery = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Check:
    """What is compared: `keys` name what differs, `counts` are pairs of columns that should be equal."""

    title: str
    keys: tuple[str, ...]
    counts: dict[str, tuple[str, str]]


def _pairs(one: str, other: str) -> dict[str, tuple[str, str]]:
    return {name: (f"{name}_in_{one}", f"{name}_in_{other}") for name in ("impressions", "clicks")}


CHECKS = {
    "windows": Check(
        "Windows that differ from the raw events (events / windows)", DIMENSIONS, _pairs("events", "windows")
    ),
    "roll-ups": Check(
        "Roll-ups that differ from the windows (windows / roll-ups)",
        ("view", "time", "account_id", "campaign_id"),
        _pairs("windows", "rollups"),
    ),
    "repetitions": Check(
        "Events that are there more than once (expected / found)",
        ("account_id", "event", "identity"),
        {"deliveries": ("expected", "deliveries")},
    ),
}


def verify(run_query: RunQuery, since: datetime | None = None, until: datetime | None = None) -> list[dict[str, Any]]:
    """Every difference, with the name of its check; empty when all agree. `since` and `until` bound the event time."""
    kept = read_kept(lambda sql: (tuple(row.values()) for row in run_query(sql)))
    statements = [("windows", differences_sql(_later(since, kept.countable), until))]
    statements += [("roll-ups", sql) for sql in _rollups_sql(kept, since, until)]
    bounds = _bounds("created_at", since, until)
    [counted] = run_query(f"SELECT count() AS n FROM events_current {_where(bounds)}")  # noqa: S608 - literals of ours
    statements += [("repetitions", sql) for sql in _repeated_sql(int(counted["n"]), bounds)]
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


def _rollups_sql(kept: Kept, since: datetime | None, until: datetime | None) -> Iterator[str]:
    """Of each length those whose minutes are all kept, and all within the bounds."""
    for level, seconds in _LEVELS.items():
        first = _later(since, kept.rollable, seconds)
        last = datetime.fromtimestamp(int(until.timestamp()) // seconds * seconds, UTC) if until else None
        minutes, rolled = _where(_bounds("minute", first, last)), " " + _where(_bounds("time", first, last))
        start = f"toDateTime(intDiv(toUInt32(minute), {seconds}) * {seconds}, 'UTC')"
        sources = {f"ctr_by_{family}_{level}": rolled for family in ("campaign", "place")}
        bounds = f"(since = {_epoch(first, 0)}, until = {_epoch(last, _FOR_EVER)}, step = {seconds})"
        sources |= {f"ctr_sums_by_{family}": bounds for family in ("country", "detail")}
        slot = f"toDateTime(intDiv(toUInt32(time), {seconds}) * {seconds}, 'UTC')"
        union = " UNION ALL ".join(
            f"SELECT '{view} {level}' AS view, {start} AS time, account_id, campaign_id,"  # noqa: S608 - ours
            f" impressions AS wi, clicks AS wc, 0 AS ri, 0 AS rc FROM ctr_by_minute {minutes}"
            f" UNION ALL SELECT '{view} {level}', {slot}, account_id, campaign_id, 0, 0, impressions, clicks"
            f" FROM {view}{bound}"
            for view, bound in sources.items()
        )
        yield f"""
            SELECT view, time, account_id, campaign_id, sum(wi) AS impressions_in_windows,
                sum(ri) AS impressions_in_rollups, sum(wc) AS clicks_in_windows, sum(rc) AS clicks_in_rollups
            FROM ({union})
            GROUP BY view, time, account_id, campaign_id
            HAVING impressions_in_windows != impressions_in_rollups OR clicks_in_windows != clicks_in_rollups
            ORDER BY view, time, account_id, campaign_id"""  # noqa: S608 - same


def _repeated_sql(events: int, bounds: list[str]) -> Iterator[str]:
    """One event is one row, whatever its deliveries said."""
    slices = max(1, -(-events // _AT_ONCE))
    key = "cityHash64(account_id, event, identity)"
    for number in range(slices):
        mine = [*bounds, f"{key} % {slices} = {number}"]
        twice = f"SELECT {key} AS k FROM events_current {_where(mine)} GROUP BY k HAVING count() > 1"  # noqa: S608 - ours
        yield f"""
            SELECT account_id, event, identity, 1 AS expected, count() AS deliveries
            FROM events_current {_where([*mine, f"{key} IN ({twice})"])}
            GROUP BY account_id, event, identity HAVING deliveries > 1
            ORDER BY account_id, event, identity"""  # noqa: S608 - same


def _later(since: datetime | None, kept_s: int, step_s: int = 1) -> datetime | None:
    """The later of both, at the next whole step; None: no bound."""
    bound_s = max(kept_s, -(-since.timestamp() // 1) if since else 0)
    return datetime.fromtimestamp(-(-int(bound_s) // step_s) * step_s, UTC) if bound_s else None


def _bounds(column: str, since: datetime | None, until: datetime | None) -> list[str]:
    bounds = [f"{column} >= {time_literal(since)}"] if since else []
    return bounds + ([f"{column} < {time_literal(until)}"] if until else [])


def _epoch(moment: datetime | None, default: int) -> int:
    return int(moment.timestamp()) if moment else default


def _where(bounds: list[str]) -> str:
    return "WHERE " + " AND ".join(bounds) if bounds else ""
