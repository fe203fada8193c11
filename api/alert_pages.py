"""GET /v1/alerts: stored alerts, latest change first, filtered and in pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from api.access import require
from api.filters import filter_of
from api.pool import EnginePool
from api.questions import parse_since, quote, time_literal
from sori.alert_filter import AlertFilter
from sori.errors import QueryError

_MOST, _DEFAULT = 1000, 50


def add_alert_pages(app: web.Application, pool: EnginePool) -> None:
    """Add the route.

    ?account= &rule= &severity= &place= &campaign= &state= (each repeatable) &since= &until= &limit= &cursor=
    The answer is {"rows": [...], "next": cursor or null}; rows are those of the view alerts_current.
    """

    async def handle(request: web.Request) -> web.Response:
        wanted = filter_of(request.query, require(request, "read"))
        limit = _limit(request.query.get("limit"))
        if wanted is None:
            return web.json_response({"rows": [], "next": None})
        sql = alerts_sql(
            wanted,
            since=_moment(request.query.get("since")),
            until=_moment(request.query.get("until")),
            after=_read_cursor(request.query.get("cursor")),
            limit=limit + 1,
        )
        rows = await pool.rows(sql)
        more = len(rows) > limit
        rows = rows[:limit]
        return web.json_response({"rows": rows, "next": make_cursor(rows[-1]) if more else None})

    app.router.add_get("/v1/alerts", handle)


def alerts_sql(
    wanted: AlertFilter,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[str, str] | None = None,
    limit: int = _DEFAULT,
) -> str:
    """The question as SQL: `after` is (updated_at, alert_id) of the last row already seen."""
    conditions = [
        _among("account_id", wanted.accounts),
        _among("rule", wanted.rules),
        _among("severity", wanted.severities),
        _among("state", wanted.states),
        _places(wanted.places),
        _campaigns(wanted.campaigns),
        f"updated_at >= {time_literal(since)}" if since else "",
        f"updated_at < {time_literal(until)}" if until else "",
    ]
    if after is not None:
        at = f"toDateTime64({quote(after[0])}, 3, 'UTC')"
        conditions.append(f"(updated_at < {at} OR (updated_at = {at} AND toString(alert_id) > {quote(after[1])}))")
    where = " AND ".join(part for part in conditions if part) or "1"
    return (
        f"SELECT * FROM alerts_current WHERE {where} "  # noqa: S608 - every value is quoted above
        f"ORDER BY updated_at DESC, toString(alert_id) LIMIT {int(limit)}"
    )


def make_cursor(row: dict[str, Any]) -> str:
    """Where to go on after this row, as an opaque text."""
    text = json.dumps([row["updated_at"], row["alert_id"]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    try:
        at, alert_id = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        datetime.fromisoformat(at)
        return str(at), str(alert_id)
    except (binascii.Error, ValueError, TypeError):
        raise QueryError("cursor: not one of ours") from None


def _among(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(quote(value) for value in values)})" if values else ""


def _places(places: Sequence[str]) -> str:
    parts = [f"subject = {quote(place)} OR startsWith(subject, {quote(place + '/')})" for place in places]
    return f"subject_kind = 'place' AND ({' OR '.join(parts)})" if parts else ""


def _campaigns(campaigns: Sequence[str]) -> str:
    parts = [f"JSONHas(toString(evidence), 'campaigns', {quote(campaign)})" for campaign in campaigns]
    own = f"(subject_kind = 'campaign' AND {_among('subject', campaigns)})"
    return f"({' OR '.join([*parts, own])})" if parts else ""


def _moment(text: str | None) -> datetime | None:
    return parse_since(text, datetime.now(UTC)) if text else None


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= _MOST):
        raise QueryError(f"limit must be a number from 1 to {_MOST}, not {text[:20]!r}")
    return int(text)
