"""GET /v1/alerts: stored alerts, latest change first, filtered and in pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from api.alerts.filters import filter_of
from api.alerts.incidents import incidents_of
from api.alerts.shape import FIELDS, as_record
from api.auth.access import require
from api.query.ctr_sql import quote, time_literal
from api.query.paging import DEFAULT, among, cursor_of, limit_of, moment_of, page, time_text
from api.query.pool import EnginePool
from sori.alerting.filter import AlertFilter
from sori.alerting.story import story
from sori.places import composed, head_of, paths_of

_KEYS = ("updated_at", "alert_id")


def add_alert_pages(app: web.Application, pool: EnginePool) -> None:
    """Add the route.

    ?account= &rule= &severity= &place= &campaign= &state= &device= (each repeatable) &since= &until= &limit= &cursor=
    The answer is {"rows": [...], "next": cursor or null}; rows have the shape of the topic's records,
    `stories` (id to sentence) says what each means, `incidents` (id to id) which incident each is in.
    """

    async def handle(request: web.Request) -> web.Response:
        wanted = filter_of(request.query, require(request, "read"))
        limit = limit_of(request.query)
        since, until = moment_of(request.query, "since"), moment_of(request.query, "until")
        after = cursor_of(request.query, len(_KEYS))
        if wanted is None:
            return web.json_response({"rows": [], "next": None, "stories": {}, "incidents": {}})
        devices = request.query.getall("device", [])
        sql = alerts_sql(wanted, since=since, until=until, after=after, limit=limit + 1, devices=devices)
        found = page(await pool.rows(sql), limit, _KEYS)
        rows = [as_record(row) for row in found["rows"]]
        stories = {row["alert_id"]: story(row) for row in rows}
        return web.json_response(
            {**found, "rows": rows, "stories": stories, "incidents": await incidents_of(pool, rows)}
        )

    app.router.add_get("/v1/alerts", handle)


def alerts_sql(
    wanted: AlertFilter,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[str, ...] | None = None,
    limit: int = DEFAULT,
    devices: Sequence[str] = (),
) -> str:
    """The question as SQL: `after` is (updated_at, alert_id) of the last row already seen."""
    conditions = [
        among("account_id", wanted.accounts),
        among("rule", wanted.rules),
        among("severity", wanted.severities),
        among("state", wanted.states),
        _places(wanted.places),
        _campaigns(wanted.campaigns),
        f"subject_kind = 'device' AND {_accused(devices)}" if devices else "",
        f"updated_at >= {time_literal(since)}" if since else "",
        f"updated_at < {time_literal(until)}" if until else "",
    ]
    if after is not None:
        at = time_text(after[0])
        conditions.append(f"(updated_at < {at} OR (updated_at = {at} AND toString(alert_id) > {quote(after[1])}))")
    where = " AND ".join(part for part in conditions if part) or "1"
    return (
        f"SELECT {', '.join(FIELDS)} FROM alerts FINAL WHERE {where} "  # noqa: S608 - every value is quoted above
        f"ORDER BY updated_at DESC, toString(alert_id) LIMIT {int(limit)}"
    )


#: Of an alert that several subjects share, all of them.
_MEMBERS = "JSONExtract(toString(evidence), 'members', 'Array(String)')"


def _accused(names: Sequence[str]) -> str:
    """The SQL twin of sori.alerting.alert.Alert.accused: any of these is the subject, or one of its members."""
    return f"({among('subject', names)} OR hasAny({_MEMBERS}, [{', '.join(map(quote, names))}]))"


def _places(places: Sequence[str]) -> str:
    conditions = [_in_place(composed(place)) for place in places]
    return f"subject_kind = 'place' AND ({' OR '.join(conditions)})" if conditions else ""


def _in_place(place: str) -> str:
    """The SQL twin of sori.places.within: a whole path names itself alone, a shorter one what begins with its parts."""
    head = head_of(place)
    begins = f"arrayExists(one -> startsWith(one, {quote(head)}), arrayPushFront({_MEMBERS}, subject))"
    return begins if head else _accused(paths_of(place))


def _campaigns(campaigns: Sequence[str]) -> str:
    parts = [
        f"(JSONHas(toString(evidence), 'campaigns', {quote(campaign)}) OR "
        f"has(JSONExtract(toString(evidence), 'affected_campaigns', 'Array(String)'), {quote(campaign)}))"
        for campaign in campaigns
    ]
    own = f"(subject_kind = 'campaign' AND {_accused(campaigns)})"
    return f"({' OR '.join([*parts, own])})" if parts else ""
