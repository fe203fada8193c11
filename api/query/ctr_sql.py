"""The questions people ask most, as SQL over the public views. Pure: text in, text out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from sori.errors import QueryError
from sori.events import parse_time_ms

By = Literal["campaign", "place", "device", "platform"]

_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "campaign": ("account_id", "campaign_id"),
    "place": ("account_id", "country", "region", "city"),
    "device": ("account_id", "device_id"),
    "platform": ("account_id", "platform"),
}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

#: Wilson's 95 % score interval of clicks among impressions (E. B. Wilson, JASA 22, 1927), as (low, high).
WILSON = """
    1.959964 AS z, greatest(impressions, clicks) AS n, if(n = 0, 0, clicks / n) AS p,
    if(n = 0, 0, (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)) AS low,
    if(n = 0, 1, (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)) AS high
"""


def quote(text: str) -> str:
    """A ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def parse_since(text: str, now: datetime) -> datetime:
    """`15m`, `2h`, `7d` before `now`, or an ISO 8601 date or date-time. Raises QueryError."""
    amount, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and amount.isascii() and amount.isdigit() and len(amount) < 10:
            return now - timedelta(**{_UNITS[unit]: int(amount)})
        return datetime.fromtimestamp(parse_time_ms(text if len(text) > 10 else f"{text}T00:00:00") / 1000, UTC)
    except Exception as error:
        raise QueryError(f"not a time: {text!r}; write 15m, 2h, 7d, 2025-10-14 or 2025-10-14T05:25:12Z") from error


def ctr(by: str, *, since: datetime | None = None, account: str | None = None, limit: int = 20) -> str:
    """Click-through rate per campaign, place, device or platform, most impressions first, with its 95 % interval."""
    if by not in get_args(By):
        raise QueryError(f"cannot group by {by!r}; choose one of {', '.join(get_args(By))}")
    dimensions = ", ".join(_DIMENSIONS[by])
    source = "device_by_minute" if by == "device" else "ctr_by_minute"
    where = _where({"minute >= ": _at(since), "account_id = ": _text(account)})
    return f"""
        WITH {WILSON}
        SELECT {dimensions}, impressions, clicks, p AS ctr, low AS ctr_low, high AS ctr_high
        FROM (SELECT {dimensions}, sum(m.impressions) AS impressions, sum(m.clicks) AS clicks
              FROM {source} AS m {where} GROUP BY {dimensions})
        ORDER BY impressions DESC, clicks DESC, {dimensions} LIMIT {int(limit)}"""  # noqa: S608 - quoted above


def alerts(
    *, since: datetime | None = None, state: str | None = None, account: str | None = None, limit: int = 50
) -> str:
    """Fraud alerts, latest change first."""
    conditions = {
        "updated_at >= ": _at(since),
        "state = ": _text(state),
        "account_id = ": _text(account),
    }
    return f"SELECT * FROM alerts_current {_where(conditions)} ORDER BY updated_at DESC, alert_id LIMIT {int(limit)}"  # noqa: S608 - same


def time_literal(moment: datetime) -> str:
    """A ClickHouse DateTime64(3) in UTC."""
    return f"toDateTime64({quote(moment.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')[:-3])}, 3, 'UTC')"


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else time_literal(moment)


def _text(value: str | None) -> str | None:
    return None if value is None else quote(value)


def _where(conditions: dict[str, str | None]) -> str:
    parts = [condition + value for condition, value in conditions.items() if value]
    return "WHERE " + " AND ".join(parts) if parts else ""
