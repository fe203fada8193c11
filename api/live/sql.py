"""What the console's pages with figures ask, as fixed SQL over the public views: counts, of which rates are made.

Pure: a slice in, SQL out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from api.query.ctr_sql import quote
from api.query.paging import among
from api.query.slice import Slice, second
from sori.alerting.alert import ENDED

_COUNTED = "impressions, clicks, suspect_clicks"
#: Part of the answer to its columns; those with a name take it from a view.
TOPS = {
    "campaigns": ("account_id", "campaign_id"),
    "places": ("account_id", "country", "region", "city"),
    "platforms": ("platform",),
    "materials": ("account_id", "material_id"),
    "countries": ("country",),
}
_NAMED = {
    "campaigns": ("campaigns", "campaign_id", "campaign_name"),
    "materials": ("materials", "material_id", "material_name"),
}


def live(asked: Slice, rows: int, ceiling: tuple[str, ...] = ()) -> dict[str, str]:
    """Every question of one load of a page, by the name of its part; `ceiling`: the accounts that may be seen."""
    tops = {name: _top(name, asked, rows if name != "countries" else 300) for name in TOPS}
    return {
        **_others(asked, ceiling),  # the longest first: there are fewer engines than questions
        "totals": _totals(asked),
        "compared": _compared(asked),
        "series": _series(asked),
        **tops,
    }


def _totals(asked: Slice) -> str:
    source = asked.source()
    return f"SELECT {_COUNTED} FROM (SELECT {source.sums} FROM {source.view} AS c WHERE {asked.where(source.time)})"  # noqa: S608 - quoted


def _compared(asked: Slice) -> str:
    """Of the buckets that are over, and of as many before them."""
    end = asked.whole_until
    begin = asked.since - max(end - asked.since, timedelta(0))
    source = asked.source(since=begin, step=asked.bucket_s)
    return f"""
        SELECT now, {_COUNTED}
        FROM (SELECT c.{source.time} >= {second(asked.since)} AS now, {source.sums} FROM {source.view} AS c
            WHERE {asked.where(source.time, begin, end)} GROUP BY now)"""  # noqa: S608 - quoted


def _series(asked: Slice) -> str:
    source = asked.source(step=asked.bucket_s)
    first, end = int(asked.since.timestamp()), int(asked.until.timestamp())
    bucket = f"intDiv(toUnixTimestamp(c.{source.time}), {asked.bucket_s}) * {asked.bucket_s}"
    return f"""
        SELECT bucket AS time, {_COUNTED}
        FROM (SELECT {bucket} AS bucket, {source.sums} FROM {source.view} AS c WHERE {asked.where(source.time)}
            GROUP BY bucket)
        ORDER BY time WITH FILL FROM {first} TO {end} STEP {asked.bucket_s}"""  # noqa: S608 - numbers and names of ours


def _top(name: str, asked: Slice, rows: int) -> str:
    source, columns = asked.source(*TOPS[name]), ", ".join(TOPS[name])
    ranked = f"""
        SELECT {columns}, {_COUNTED}
        FROM (SELECT {columns}, {source.sums} FROM {source.view} AS c
            WHERE {asked.where(source.time)} GROUP BY {columns})
        ORDER BY impressions DESC, clicks DESC, {columns} LIMIT {int(rows)}"""  # noqa: S608 - quoted
    if name not in _NAMED:
        return ranked
    view, column, called = _NAMED[name]
    return f"""
        SELECT t.account_id AS account_id, t.{column} AS {column}, n.name AS {called}, {_COUNTED}
        FROM ({ranked}) AS t LEFT ANY JOIN {view} AS n USING (account_id, {column})
        ORDER BY impressions DESC, clicks DESC, account_id, {column}"""  # noqa: S608 - ours


def _others(asked: Slice, ceiling: tuple[str, ...]) -> dict[str, str]:
    """Which accounts there are, whatever the chips say, and how it goes."""
    mine = asked.chips(("account_id",))
    source, of_mine = replace(asked, only=()).source(), " AND ".join(mine) or "1"
    seen = among("c.account_id", ceiling) or "1"
    minute_ago = second(asked.now - timedelta(seconds=60))
    events = " AND ".join([f"c.created_at >= {second(asked.since)}", *mine])
    received = " AND ".join([f"c.received_at >= {second(asked.since)}", *mine])
    still = " AND ".join([f"c.state NOT IN ({', '.join(map(quote, sorted(ENDED)))})", *mine])
    pulse = f"""
        SELECT
            (SELECT toUnixTimestamp64Milli(max(c.received_at)) FROM received_ends AS c
                WHERE {received}) AS last_received_ms,
            (SELECT uniqExact(c.account_id, c.event, c.identity) FROM events AS c
                WHERE {events} AND c.received_at >= {minute_ago}) AS events_last_minute,
            (SELECT toUnixTimestamp64Milli(max(c.last_seen)) FROM campaign_details AS c
                WHERE {of_mine}) AS last_seen_ms,
            (SELECT count() FROM late_events AS c WHERE {received}) AS late,
            (SELECT count() FROM quarantine_current AS c WHERE {received}) AS quarantined,
            (SELECT count() FROM alerts_current AS c WHERE {still}) AS open_alerts"""  # noqa: S608 - quoted
    accounts = f"""
        SELECT DISTINCT c.account_id AS account_id FROM {source.view} AS c
        WHERE {seen} ORDER BY account_id LIMIT 200"""  # noqa: S608 - quoted
    return {"pulse": pulse, "accounts": accounts}
