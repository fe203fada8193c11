"""SQL that compares each level of the data with the one before it. Pure: text only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from api.query.ctr_sql import time_literal
from api.query.ctr_sums import FAMILIES, OF_PLACES, sums
from api.query.verification_spans import Span
from runtime.clickhouse.kept import Kept

DIMENSIONS = ("minute", "account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
_LEVELS = {"5m": 300, "1h": 3600, "1d": 86_400}
DEVICE_KEYS = ("minute", "account_id", "device_id")
_DEVICE_COUNTS = {
    "impressions": "campaign.impression",
    "clicks": "campaign.click",
    "authentications": "authentication",
}


@dataclass(frozen=True, slots=True)
class Caps:
    """How many devices windows track: those beyond have no window of their own, which is no difference."""

    devices: int
    account_devices: int


def counting_sql(table: str, column: str, step_s: int, whole: Span) -> str:
    """Rows by `start`, epoch seconds, `step_s` apart: as stored, which is never fewer than as read."""
    start = f"intDiv(toUInt32(toDateTime({column}, 'UTC')), {step_s}) * {step_s}"
    bounded = where(bounds_sql(column, whole.since, whole.until))
    return f"SELECT {start} AS start, count() AS n FROM {table} {bounded} GROUP BY start ORDER BY start"  # noqa: S608 - names of ours


def differences_sql(since: datetime | None = None, until: datetime | None = None, mine: Sequence[str] = ()) -> str:
    """Windows whose counts differ, with both counts; `since` and `until` bound the minutes, in event time.

    `mine` are further conditions on the dimensions.
    """
    keys = ", ".join(DIMENSIONS)
    bounds = [*bounds_sql("minute", since, until), *mine]
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
            SELECT {keys}, 0, 0, impressions, clicks FROM ctr_by_minute {where(bounds)}
        )
        GROUP BY {keys}
        HAVING impressions_in_events != impressions_in_windows OR clicks_in_events != clicks_in_windows
        ORDER BY {keys}"""  # noqa: S608 - only literals of ours


def windows_sql(span: Span) -> Iterator[str]:
    """`differences_sql` of a stretch."""
    for mine in span.hashed(", ".join(DIMENSIONS[1:])):
        yield differences_sql(span.since, span.until, mine)


def devices_sql(span: Span, caps: Caps | None) -> Iterator[str]:
    """Windows of devices beside the raw events; a device that has none is left out where a cap was reached."""
    keys, minutes = ", ".join(DEVICE_KEYS), bounds_sql("minute", span.since, span.until)
    counted = ", ".join(f"countIf(event = '{event}') AS e_{name}" for name, event in _DEVICE_COUNTS.items())
    sums = ", ".join(
        f"sum(e_{name}) AS {name}_in_events, sum(w_{name}) AS {name}_in_windows" for name in _DEVICE_COUNTS
    )
    differ = " OR ".join(f"{name}_in_events != {name}_in_windows" for name in _DEVICE_COUNTS)
    zeros = ", ".join(f"0 AS w_{name}" for name in _DEVICE_COUNTS)
    names = ", ".join(f"'{event}'" for event in _DEVICE_COUNTS.values())
    windows = f"FROM device_by_minute {where(minutes)}"
    full = "1"
    if caps is not None:
        many = f"SELECT minute {windows} GROUP BY minute HAVING count() >= {caps.devices}"
        of_one = (
            f"SELECT minute, account_id {windows} GROUP BY minute, account_id HAVING count() >= {caps.account_devices}"
        )
        full = f"sum(tracked) > 0 OR (minute NOT IN ({many}) AND (minute, account_id) NOT IN ({of_one}))"
    for mine in span.hashed("account_id, device_id"):
        of_events = where([*minutes, f"event IN ({names})", "device_id != ''", *mine])
        yield f"""
            SELECT {keys}, {sums}
            FROM
            (
                SELECT toStartOfMinute(created_at) AS minute, account_id, device_id, {counted}, {zeros}, 0 AS tracked
                FROM events_current {of_events} GROUP BY {keys}
                UNION ALL
                SELECT {keys}, {", ".join("0" for _ in _DEVICE_COUNTS)}, {", ".join(_DEVICE_COUNTS)}, 1
                FROM device_by_minute {where([*minutes, *mine])}
            )
            GROUP BY {keys} HAVING ({differ}) AND ({full}) ORDER BY {keys}"""  # noqa: S608 - same


def rollups_sql(kept: Kept, span: Span) -> Iterator[str]:
    """Each length beside the next shorter one, so that windows are read once a family; what is whole and kept.

    What lies once more in the order of places, beside what it was copied from. The ends of the stretch inside of what
    is compared are those of whole days.
    """
    since, until = span.since, span.until
    for name, columns in FAMILIES.items():
        below, at = "ctr_by_minute", "minute"
        for level, seconds in _LEVELS.items():
            first = later(since, kept.rollable, seconds)
            last = datetime.fromtimestamp(int(until.timestamp()) // seconds * seconds, UTC) if until else None
            view, whole = sums(columns, first, last, seconds), Span(first, last, span.parts)
            yield from _rolled_sql(f"{name} {level}", columns, seconds, (below, at, view), whole)
            placed = sums(columns, first, last, seconds, columns)
            if placed != view and level != "5m":
                yield from _rolled_sql(f"{OF_PLACES} {level}", columns, seconds, (view, "time", placed), whole)
            below, at = view, "time"


def _rolled_sql(
    name: str, columns: AbstractSet[str], seconds: int, views: tuple[str, str, str], whole: Span
) -> Iterator[str]:
    """`views`: the finer one, its column of time, and the one that is compared with it."""
    columns_of = ", ".join(column for column in DIMENSIONS if column in columns)
    below, at, view = views
    start, keys = f"toDateTime(intDiv(toUInt32({{0}}), {seconds}) * {seconds}, 'UTC')", f"time, {columns_of}"
    for mine in whole.hashed(columns_of):
        yield f"""
            SELECT '{name}' AS view, {keys}, sum(wi) AS impressions_in_windows,
                sum(ri) AS impressions_in_rollups, sum(wc) AS clicks_in_windows, sum(rc) AS clicks_in_rollups
            FROM
            (
                SELECT {start.format(at)} AS start, {columns_of}, sum(impressions) AS wi, sum(clicks) AS wc,
                    0 AS ri, 0 AS rc
                FROM {below} {where([*bounds_sql(at, whole.since, whole.until), *mine])} GROUP BY start, {columns_of}
                UNION ALL
                SELECT {start.format("time")}, {columns_of}, 0, 0, impressions, clicks FROM {view} {where(mine)}
            ) AS both
            GROUP BY start AS time, {columns_of}
            HAVING impressions_in_windows != impressions_in_rollups OR clicks_in_windows != clicks_in_rollups
            ORDER BY {keys}"""  # noqa: S608 - names and literals of ours


def repeated_sql(slices: int, kept: Kept, since: datetime | None, until: datetime | None) -> Iterator[str]:
    """One event is one row, whatever its deliveries said; of those with a row within the bounds, all that is kept.

    Copies may lie beyond the bounds: the events within say which are looked for.
    """
    key, bounds = "cityHash64(account_id, event, identity)", bounds_sql("created_at", since, until)
    whole = bounds_sql("created_at", later(None, kept.countable), None)
    for number in range(slices):
        mine = f"{key} % {slices} = {number}"
        within = [f"{key} IN (SELECT {key} FROM events_current {where([*bounds, mine])})"] if bounds else []  # noqa: S608 - ours
        looked_at = [*whole, mine, *within]
        twice = f"SELECT {key} AS k FROM events_current {where(looked_at)} GROUP BY k HAVING count() > 1"  # noqa: S608 - ours
        yield f"""
            SELECT account_id, event, identity, 1 AS expected, count() AS deliveries
            FROM events_current {where([*whole, mine, f"{key} IN ({twice})"])}
            GROUP BY account_id, event, identity HAVING deliveries > 1
            ORDER BY account_id, event, identity"""  # noqa: S608 - same


def later(since: datetime | None, kept_s: int, step_s: int = 1) -> datetime | None:
    """The later of both, at the next whole step; None: no bound."""
    bound_s = max(kept_s, -(-since.timestamp() // 1) if since else 0)
    return datetime.fromtimestamp(-(-int(bound_s) // step_s) * step_s, UTC) if bound_s else None


def bounds_sql(column: str, since: datetime | None, until: datetime | None) -> list[str]:
    bounds = [f"{column} >= {time_literal(since)}"] if since else []
    return bounds + ([f"{column} < {time_literal(until)}"] if until else [])


def where(bounds: list[str]) -> str:
    return "WHERE " + " AND ".join(bounds) if bounds else ""
