"""GET /v1/subscriptions/{id}/attempts: what became of a subscription's webhooks, latest first, in pages.

?outcome= (delivered, retry, held or exhausted; repeatable) &since= &until= &limit= &cursor=
The answer is {"rows": [...], "next": cursor or null}; rows are those of the view delivery_attempts_current, times
ISO 8601 with Z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from aiohttp import web

from api.auth.access import require
from api.auth.grants import Grant
from api.query.ctr_sql import quote, time_literal
from api.query.paging import among, cursor_of, limit_of, moment_of, page, time_text
from api.query.pool import EnginePool
from api.query.row_times import iso
from api.subscriptions.store import SubscriptionStore
from sori.errors import QueryError

Outcome = Literal["delivered", "retry", "held", "exhausted"]
_KEYS = ("attempted_at", "webhook_id", "attempt")
_TIMES = ("attempted_at", "next_attempt_at")


def add_attempts(app: web.Application, store: SubscriptionStore, pool: EnginePool) -> None:
    """Add the route."""

    async def handle(request: web.Request) -> web.Response:
        grant = require(request, "read")
        found = store.find(request.match_info["id"], grant)
        if found is None:
            raise web.HTTPNotFound(text="no such subscription")
        limit = limit_of(request.query)
        sql = attempts_sql(
            found.id,
            accounts=_accounts(grant),
            outcomes=known_outcomes(request.query.getall("outcome", [])),
            since=moment_of(request.query, "since"),
            until=moment_of(request.query, "until"),
            after=cursor_of(request.query, len(_KEYS)),
            limit=limit + 1,
        )
        answer = page(await pool.rows(sql), limit, _KEYS)
        answer["rows"] = [as_attempt(row) for row in answer["rows"]]
        return web.json_response(answer)

    app.router.add_get("/v1/subscriptions/{id}/attempts", handle)


def attempts_sql(
    subscription_id: str,
    *,
    accounts: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[str, ...] | None = None,
    limit: int = 50,
) -> str:
    """The question as SQL: `after` is (attempted_at, webhook_id, attempt) of the last row already seen."""
    conditions = [
        f"subscription_id = {quote(subscription_id)}",
        among("account_id", accounts),
        among("outcome", outcomes),
        f"attempted_at >= {time_literal(since)}" if since else "",
        f"attempted_at < {time_literal(until)}" if until else "",
    ]
    if after is not None:
        at, behind = time_text(after[0]), f"({quote(after[1])}, {_number(after[2])})"
        conditions.append(f"(attempted_at < {at} OR (attempted_at = {at} AND (webhook_id, attempt) < {behind}))")
    where = " AND ".join(part for part in conditions if part)
    return (
        f"SELECT * EXCEPT (stored_at) FROM delivery_attempts_current WHERE {where} "  # noqa: S608 - every value is quoted above
        f"ORDER BY attempted_at DESC, webhook_id DESC, attempt DESC LIMIT {int(limit)}"
    )


def as_attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored attempt as it is answered: times ISO 8601 with Z, as everywhere."""
    return iso(row, _TIMES)


def known_outcomes(given: Sequence[str]) -> Sequence[str]:
    """Themselves. Raises QueryError for an unknown one."""
    wrong = [one for one in given if one not in get_args(Outcome)]
    if wrong:
        raise QueryError(f"outcome: {wrong[0][:40]!r} is none of {', '.join(get_args(Outcome))}")
    return given


def _accounts(grant: Grant) -> tuple[str, ...]:
    """A second lock: a subscription within the grant has no other accounts' attempts. Tests have no account."""
    return () if grant.accounts is None else (*sorted(grant.accounts), "")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        raise QueryError("cursor: not one of ours")
    return int(text)
