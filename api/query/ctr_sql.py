"""The questions people ask most, as SQL over the public views. Pure: text in, text out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sori.errors import QueryError
from sori.events import parse_time_ms
from sori.time_spellings import respelled_time

#: An offset whose plus sign was not encoded: in a URL it is a blank.
_LOST_PLUS = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def wilson(clicks: str, suffix: str = "") -> str:
    """Wilson's 95 % score interval of clicks among impressions (E. B. Wilson, JASA 22, 1927), as (p, low, high).

    Each is the name of a column, with `suffix`; `clicks` is an expression. Rounding would put a bound of no clicks
    just below 0, and people would read "-0.00%".
    """
    n, p, low, high = (f"{name}{suffix}" for name in ("n", "p", "low", "high"))
    z, zz = "1.959964", "3.841458881296"
    half = f"{z} * sqrt({p} * (1 - {p}) / {n} + {zz} / (4 * {n} * {n}))"
    return f"""
    greatest(impressions, {clicks}) AS {n}, if({n} = 0, 0, ({clicks}) / {n}) AS {p},
    if({n} = 0, 0, greatest(0, ({p} + {zz} / (2 * {n}) - {half}) / (1 + {zz} / {n}))) AS {low},
    if({n} = 0, 1, least(1, ({p} + {zz} / (2 * {n}) + {half}) / (1 + {zz} / {n}))) AS {high}
"""


WILSON = wilson("clicks")


def quote(text: str) -> str:
    """A ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def parse_since(text: str, now: datetime) -> datetime:
    """`15m`, `2h`, `7d` before `now`, or an ISO 8601 date or date-time. Raises QueryError."""
    amount, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and amount.isascii() and amount.isdigit() and len(amount) < 10:
            return now - timedelta(**{_UNITS[unit]: int(amount)})
        written = respelled_time(_LOST_PLUS.sub(r"\1+\2", text)) if len(text) > 10 else f"{text}T00:00:00"
        return datetime.fromtimestamp(parse_time_ms(written) / 1000, UTC)
    except Exception as error:
        raise QueryError(f"not a time: {text!r}; write 15m, 2h, 7d, 2025-10-14 or 2025-10-14T05:25:12Z") from error


def in_order(since: datetime | None, until: datetime | None) -> None:
    """Raises QueryError for a time that ends before it begins: that it holds nothing would read like an answer."""
    if since is not None and until is not None and since >= until:
        raise QueryError("since must lie before until")


def latest_alerts(limit: int) -> str:
    """Fraud alerts, latest change first."""
    return f"SELECT * FROM alerts_current ORDER BY updated_at DESC, alert_id LIMIT {int(limit)}"  # noqa: S608 - a number


def time_literal(moment: datetime) -> str:
    """A ClickHouse DateTime64(3) in UTC."""
    return f"toDateTime64({quote(moment.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')[:-3])}, 3, 'UTC')"
