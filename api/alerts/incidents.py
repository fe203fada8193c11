"""GET /v1/incidents and /v1/incidents/{id}: alerts of one account about one thing, as one case.

?account= &rule= &severity= &place= &campaign= &device= &state=open|closed|withdrawn (each repeatable) &since= &until=
&limit= &cursor= The id may be its beginning; one that went into another incident is answered with that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from api.alerts.incident_sql import (
    KEYS,
    PARAMETERS,
    alerts_in_sql,
    as_record,
    incident_sql,
    incidents_of_sql,
    incidents_sql,
    wanted_of,
)
from api.alerts.shape import as_record as alert_record
from api.auth.access import require
from api.query.alert_story_sql import SAID_TIMES, verdicts_sql
from api.query.paging import cursor_of, limit_of, moment_of, page
from api.query.pool import EnginePool
from api.query.questions import Questions, answer_async
from api.query.row_times import iso
from sori.alerting.filter import narrowed
from sori.alerting.incident import Member, gravest, incident_id
from sori.alerting.story import story
from sori.errors import ConfigError, QueryError

#: So many times one incident went into another, at most, before we stop following.
_MOST_STEPS = 20
#: Verdicts on single alerts of an incident that are told, at most.
_MOST_SAID = 1000
#: Yields SQL, is sent its rows, returns what is known of an incident.
Told = Questions[dict[str, Any]]
#: As above, returns verdicts.
Said = Questions[list[dict[str, Any]]]
Rows = Callable[[str], Any]


class NoSuchIncident(QueryError):
    """None is stored whose id is this or begins so, or there are several."""

    def __init__(self, reason: str, *, several: bool = False) -> None:
        super().__init__(reason)
        self.several = several


def add_incidents(app: web.Application, pool: EnginePool) -> None:
    """Add both routes."""

    async def many(request: web.Request) -> web.Response:
        grant = require(request, "read")
        try:
            wanted = wanted_of({name: request.query.getall(name, []) for name in PARAMETERS})
        except ConfigError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        limit, after = limit_of(request.query), cursor_of(request.query, len(KEYS))
        since, until = moment_of(request.query, "since"), moment_of(request.query, "until")
        accounts = narrowed(wanted.account, grant.accounts)
        if accounts is None:
            return web.json_response({"rows": [], "next": None})
        wanted = replace(wanted, account=accounts)
        sql = incidents_sql(wanted, since=since, until=until, after=after, limit=limit + 1)
        found = page(await pool.rows(sql), limit, KEYS)
        return web.json_response({**found, "rows": [as_record(row) for row in found["rows"]]})

    async def one(request: web.Request) -> web.Response:
        grant = require(request, "read")
        told = tell(request.match_info["id"], () if grant.accounts is None else tuple(sorted(grant.accounts)))
        try:
            return web.json_response(await answer_async(told, pool.rows))
        except NoSuchIncident as error:
            raise web.HTTPNotFound(text=str(error)) from error

    app.router.add_get("/v1/incidents", many)
    app.router.add_get("/v1/incidents/{id}", one)


def tell(beginning: str, accounts: Sequence[str] = ()) -> Told:
    """An incident of these accounts, if there are any, its alerts as stored, and what analysts say of it.

    Raises NoSuchIncident.
    """
    record = as_record((yield from find_incident(beginning, accounts)))
    alerts = [alert_record(row) for row in (yield alerts_in_sql(record))]
    verdicts = yield from said_of(record)
    of_alerts = yield verdicts_sql(record["account_id"], record["alert_ids"], _MOST_SAID)
    return {
        "incident": record,
        "story": record["story"],
        "gravest": _gravest(record["alerts"]),
        "alerts": alerts,
        "stories": {alert["alert_id"]: story(alert) for alert in alerts},
        "verdicts": verdicts,
        "alert_verdicts": [iso(row, SAID_TIMES) for row in of_alerts],
    }


def _gravest(alerts: Sequence[Mapping[str, Any]]) -> str:
    """Its id; empty where there is none, or the record is one of another version of ours."""
    try:
        members = msgspec.convert(alerts, list[Member], strict=False)
    except msgspec.ValidationError:
        return ""
    return gravest(members).alert_id if members else ""


def said_of(incident: Mapping[str, Any]) -> Said:
    """What analysts say of an incident, the latest first."""
    # what went into it was the incident of an alert that is in it now: what was said of that is said of this
    before = [incident_id(alert) for alert in incident["alert_ids"]]
    rows = yield verdicts_sql(incident["account_id"], [incident["incident_id"], *before])
    return [iso(row, SAID_TIMES) for row in rows]


def find_incident(beginning: str, accounts: Sequence[str] = ()) -> Told:
    """The stored row of an incident of these accounts, if there are any, or of what it went into.

    Raises NoSuchIncident.
    """
    found = (yield incident_sql(beginning, accounts)) if beginning else []
    if not found:
        raise NoSuchIncident(f"no incident {beginning[:100]!r} is stored. `sori incidents` lists them")
    if len(found) > 1 and found[0]["incident_id"] != beginning:
        both = " and ".join(one["incident_id"] for one in found)
        raise NoSuchIncident(f"several incidents begin with {beginning!r}, such as {both}", several=True)
    incident = found[0]
    for _ in range(_MOST_STEPS):
        if not incident["merged_into"]:
            break
        further = yield incident_sql(incident["merged_into"], accounts)
        if not further:
            break
        incident = further[0]
    return incident


async def incidents_of(pool: EnginePool, alerts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Alert ids to the incidents that these alerts are in, looked up by the key; a new alert has none for a moment."""
    keys = [(alert["account_id"], alert["alert_id"]) for alert in alerts]
    if not keys:
        return {}
    return {row["alert_id"]: row["incident_id"] for row in await pool.rows(incidents_of_sql(keys))}
