"""What an alert was made of, as SQL over what ClickHouse holds. Pure: text in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from api.query.ctr_sql import quote, time_literal
from api.query.paging import among
from sori.places import parts

#: Longest stretch that is counted in panes.
_LONGEST = timedelta(hours=2)
#: Columns of `verdicts_sql` that are times.
SAID_TIMES = ("made_at", "until")


def states_sql(alert: Mapping[str, Any]) -> str:
    """Every state that is still stored, oldest first; ClickHouse merges older ones away in time."""
    return (
        "SELECT version, state, severity, observed, expected, window_start, window_end, updated_at, closed_at,"  # noqa: S608 - quoted
        " stored_at FROM alerts"
        f" WHERE account_id = {quote(alert['account_id'])} AND alert_id = {quote(alert['alert_id'])}"
        " ORDER BY version LIMIT 1 BY version"
    )


def verdicts_sql(account: str, targets: Sequence[str], most: int = 10) -> str:
    """What analysts say of any of these, the latest first."""
    return (
        "SELECT verdict_id, target, verdict, note, by, until, allow, made_at, version FROM verdicts_current"  # noqa: S608 - quoted
        f" WHERE account_id = {quote(account)} AND {among('target', targets) or '0'}"
        f" ORDER BY made_at DESC LIMIT {int(most)}"
    )


def panes_sql(alert: Mapping[str, Any], pane_s: int, before_s: int) -> str:
    """The subject's counts per pane, from `before_s` seconds before the strongest window ends to the episode's end."""
    begin = moment(alert["window_end"]) - timedelta(seconds=before_s)
    end = max(moment(alert["window_end"]), moment(alert["closed_at"] or alert["updated_at"])) + timedelta(
        seconds=pane_s
    )
    within = _between(begin, min(end, begin + _LONGEST))
    return f"""
        SELECT toUnixTimestamp(toStartOfInterval(created_at, INTERVAL {int(pane_s)} SECOND)) AS pane,
            countIf(event = 'campaign.impression') AS impressions, countIf(event = 'campaign.click') AS clicks,
            countIf(event = 'authentication') AS authentications, count() AS events,
            uniqExactIf(device_id, event = 'campaign.click') AS clicking_devices
        FROM events_current WHERE {subject_sql(alert)} AND {within} GROUP BY pane ORDER BY pane"""  # noqa: S608 - quoted


def events_sql(alert: Mapping[str, Any], samples: Sequence[str], events: Sequence[str], limit: int) -> str:
    """Raw events of the strongest window, those that the alert names first; `events`: only of these kinds."""
    named = f"identity IN ({', '.join(map(quote, samples))})" if samples else "0"
    kinds = f"event IN ({', '.join(map(quote, events))})" if events else "1"
    # samples come from the whole episode; a window by event time may end with the event that opened it
    begin = min(moment(alert["window_start"]), moment(alert["opened_at"]))
    end = max(moment(alert["window_end"]), moment(alert["updated_at"])) + timedelta(seconds=1)
    window = _between(moment(alert["window_start"]), moment(alert["window_end"]))
    return f"""
        SELECT created_at, received_at, event, identity, device_id, campaign_id, material_id, platform,
            country, region, city, kafka_partition, kafka_offset, {named} AS named
        FROM events_current
        WHERE {subject_sql(alert)} AND {_between(begin, end)} AND {kinds} AND (named OR {window})
        ORDER BY named DESC, created_at, identity LIMIT {int(limit)}"""  # noqa: S608 - quoted


def subject_sql(alert: Mapping[str, Any]) -> str:
    """The condition that picks the subject's events. A place's subject is `country/region/city`."""
    columns = {"device": ("device_id",), "campaign": ("campaign_id",), "place": ("country", "region", "city")}
    names, subject = columns[alert["subject_kind"]], alert["subject"]
    values = parts(subject) if len(names) > 1 else (subject,)
    of_subject = " AND ".join(f"{name} = {quote(value)}" for name, value in zip(names, values, strict=True))
    return f"account_id = {quote(alert['account_id'])} AND {of_subject}"


def moment(text: str) -> datetime:
    """A time as ClickHouse writes it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _between(begin: datetime, end: datetime) -> str:
    return f"created_at >= {time_literal(begin)} AND created_at < {time_literal(end)}"
