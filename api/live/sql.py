"""What the live page asks, as fixed SQL over the public views. Pure: a range, an account and a time in, SQL out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.query.ctr_sql import WILSON, quote
from sori.errors import QueryError


@dataclass(frozen=True, slots=True)
class Range:
    """How far the page looks back, in buckets of one view's rows. `bucket_s` is their length in seconds."""

    length_s: int
    bucket_s: int
    campaigns: str
    places: str
    time: str

    def start(self, now: datetime) -> datetime:
        """The first bucket: whole buckets only, so that every figure on the page covers the same events."""
        first = int((now - timedelta(seconds=self.length_s)).timestamp()) // self.bucket_s * self.bucket_s
        return datetime.fromtimestamp(first, UTC)


_MINUTES = ("ctr_by_minute", "ctr_by_minute", "minute")
_FIVE = ("ctr_by_campaign_5m", "ctr_by_place_5m", "time")
_HOURS = ("ctr_by_campaign_1h", "ctr_by_place_1h", "time")
RANGES = {
    "15m": Range(900, 60, *_MINUTES),
    "1h": Range(3600, 60, *_MINUTES),
    "6h": Range(21_600, 300, *_FIVE),
    "24h": Range(86_400, 300, *_FIVE),
    "7d": Range(604_800, 3600, *_HOURS),
}
_SUMS = "sum(c.impressions) AS impressions, sum(c.clicks) AS clicks, sum(c.suspect_clicks) AS suspect_clicks"
_RATES = "impressions, clicks, suspect_clicks, p AS ctr, low AS ctr_low, high AS ctr_high"


def range_named(name: str) -> Range:
    """Raises QueryError for any other name."""
    if name not in RANGES:
        raise QueryError(f"not a range: {name[:20]!r}; choose one of {', '.join(RANGES)}")
    return RANGES[name]


def live(span: Range, now: datetime, account: str | None) -> dict[str, str]:
    """Every question of one page load, by the name of its part."""
    within = _within(span.time, span, now, account)
    return {
        "totals": f"WITH {WILSON} SELECT {_RATES} FROM (SELECT {_SUMS} FROM {span.campaigns} AS c {within})",  # noqa: S608 - quoted
        "series": _series(span, now, within),
        "campaigns": _campaigns(span, within),
        "places": _top("account_id, country, region, city", span.places, within),
        "platforms": _top("platform", span.campaigns, within),
        "accounts": f"SELECT DISTINCT account_id FROM {span.campaigns} {_within(span.time, span, now, None)}"  # noqa: S608
        " ORDER BY account_id LIMIT 200",
        "pulse": _pulse(span, now, account),
    }


def _series(span: Range, now: datetime, within: str) -> str:
    first, end = int(span.start(now).timestamp()), int(now.timestamp())
    bucket = f"intDiv(toUnixTimestamp(c.{span.time}), {span.bucket_s}) * {span.bucket_s}"
    return f"""
        WITH {WILSON}
        SELECT bucket AS time, {_RATES}
        FROM (SELECT {bucket} AS bucket, {_SUMS} FROM {span.campaigns} AS c {within} GROUP BY bucket)
        ORDER BY time WITH FILL FROM {first} TO {end} STEP {span.bucket_s}"""  # noqa: S608 - numbers and names of ours


def _campaigns(span: Range, within: str) -> str:
    ranked = _top("account_id, campaign_id", span.campaigns, within)
    return f"""
        SELECT t.account_id AS account_id, t.campaign_id AS campaign_id, n.name AS campaign_name,
            impressions, clicks, suspect_clicks, ctr, ctr_low, ctr_high
        FROM ({ranked}) AS t LEFT ANY JOIN campaigns AS n USING (account_id, campaign_id)
        ORDER BY impressions DESC, clicks DESC, account_id, campaign_id"""  # noqa: S608 - ours


def _top(dimensions: str, source: str, within: str, limit: int = 10) -> str:
    return f"""
        WITH {WILSON}
        SELECT {dimensions}, {_RATES}
        FROM (SELECT {dimensions}, {_SUMS} FROM {source} AS c {within} GROUP BY {dimensions})
        ORDER BY impressions DESC, clicks DESC, {dimensions} LIMIT {limit}"""  # noqa: S608 - ours


def _pulse(span: Range, now: datetime, account: str | None) -> str:
    minute_ago = int(now.timestamp()) - 60
    events = _within("created_at", span, now, account)
    received = _within("received_at", span, now, account)
    return f"""
        SELECT
            (SELECT toUnixTimestamp64Milli(max(received_at)) FROM events {events}) AS last_received_ms,
            (SELECT uniqExact(account_id, event, identity) FROM events {events}
                AND received_at >= toDateTime({minute_ago}, 'UTC')) AS events_last_minute,
            (SELECT count() FROM late_events {received}) AS late,
            (SELECT count() FROM quarantine_current {received}) AS quarantined,
            (SELECT count() FROM alerts_current WHERE state != 'closed'{_account(account)}) AS open_alerts"""  # noqa: S608 - quoted


def _within(column: str, span: Range, now: datetime, account: str | None) -> str:
    return f"WHERE {column} >= toDateTime({int(span.start(now).timestamp())}, 'UTC'){_account(account)}"


def _account(account: str | None) -> str:
    return "" if account is None else f" AND account_id = {quote(account)}"
