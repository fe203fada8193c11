"""GET /v1/alerts/{id} and `sori explain`: an alert with its states, its panes, its rule and the events behind it.

The id may be its beginning. ?events= says how many raw events are told at most, those that the alert names first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from api.alerts.incident_sql import incidents_of_sql
from api.alerts.incidents import find_incident, said_of
from api.alerts.shape import FIELDS, as_record
from api.auth.access import require
from api.query.alert_story_sql import SAID_TIMES, events_sql, panes_sql, states_sql, verdicts_sql
from api.query.ctr_sql import quote
from api.query.paging import among
from api.query.pool import EnginePool
from api.query.questions import Questions, answer_async
from api.query.row_times import iso
from sori.alerting.story import story
from sori.errors import QueryError

DEFAULT_EVENTS, MOST_EVENTS = 20, 10_000
_COUNTS = ("impressions", "clicks", "authentications", "events", "clicking_devices")
_TIMES = ("window_start", "window_end", "updated_at", "closed_at", "stored_at", "created_at", "received_at")

#: A rule and an account to the rule's card: name, statement, judges, parameters, before_s. None for an unknown rule.
CardOf = Callable[[str, str], Mapping[str, Any] | None]
#: Yields SQL, is sent its rows, returns the story: the caller asks, here or over HTTP, in a thread or not.
Story = Questions[dict[str, Any]]


def no_card(_rule: str, _account: str) -> None:
    """Where nobody knows the rules."""
    return


def add_alert_story(app: web.Application, pool: EnginePool, pane_s: int, card_of: CardOf) -> None:
    """Add the route."""

    async def handle(request: web.Request) -> web.Response:
        grant = require(request, "read")
        accounts = () if grant.accounts is None else tuple(sorted(grant.accounts))
        limit = int(request.query.get("events", DEFAULT_EVENTS))
        told = tell(request.match_info["id"], pane_s, card_of, limit, accounts)
        try:
            return web.json_response(await answer_async(told, pool.rows))
        except NoSuchAlert as error:
            raise web.HTTPNotFound(text=str(error)) from error

    app.router.add_get("/v1/alerts/{id}", handle)


class NoSuchAlert(QueryError):
    """None is stored whose id is this or begins so, or there are several."""


def none_stored(alert_id: str) -> NoSuchAlert:
    """To raise where nothing begins so."""
    return NoSuchAlert(
        f"no alert {alert_id[:100]!r} is stored; a new one takes a second to arrive. `sori alerts` lists them"
    )


def tell(alert_id: str, pane_s: int, card_of: CardOf, limit: int, accounts: Sequence[str] = ()) -> Story:
    """All that is known of an alert, of these accounts if there are any. Raises NoSuchAlert."""
    found = (yield _alert_sql(alert_id, accounts)) if alert_id else []
    if not found:
        raise none_stored(alert_id)
    if len(found) > 1 and found[0]["alert_id"] != alert_id:
        raise NoSuchAlert(
            f"several alerts begin with {alert_id!r}, such as {' and '.join(a['alert_id'] for a in found)}"
        )
    alert, card = found[0], card_of(found[0]["rule"], found[0]["account_id"])
    record = as_record(alert)
    samples, before_s = record["evidence"].get("sample_event_ids", []), card["before_s"] if card else 360
    states = yield states_sql(alert)
    # of a group, window and counts are those of its strongest member: so are its panes and events
    shown = {**alert, "subject": record["evidence"].get("strongest_member") or alert["subject"]}
    panes = yield panes_sql(shown, pane_s, before_s)
    events = yield events_sql(shown, samples, card["judges"] if card else (), limit)
    verdicts = yield verdicts_sql(alert["account_id"], [alert["alert_id"]])
    incident_id, incident_verdicts = yield from _incident(alert)
    return {
        "alert": record,
        "story": story(record),
        "evidence": record["evidence"],
        "states": [iso(row, _TIMES) for row in states],
        "pane_s": pane_s,
        "panes": filled(panes, pane_s),
        "rule": card,
        "events": [iso(row, _TIMES) for row in events],
        "verdicts": [iso(row, SAID_TIMES) for row in verdicts],
        "incident_id": incident_id,
        "incident_verdicts": incident_verdicts,
    }


def _incident(
    alert: Mapping[str, Any],
) -> Questions[tuple[str | None, list[dict[str, Any]]]]:
    """The id of the incident that it is in, and what analysts say of that."""
    found = yield incidents_of_sql([(alert["account_id"], alert["alert_id"])])
    if not found:
        return None, []
    incident = yield from find_incident(found[0]["incident_id"], [alert["account_id"]])
    return found[0]["incident_id"], (yield from said_of(incident))


def filled(panes: Sequence[Mapping[str, Any]], pane_s: int) -> list[dict[str, Any]]:
    """Panes without gaps: those without events are all zero."""
    if not panes:
        return []
    found = {int(pane["pane"]): pane for pane in panes}
    times = range(min(found), max(found) + pane_s, pane_s)
    return [{"pane": at, **{name: int(found.get(at, {}).get(name, 0)) for name in _COUNTS}} for at in times]


def _alert_sql(alert_id: str, accounts: Sequence[str]) -> str:
    within = f" AND {condition}" if (condition := among("account_id", accounts)) else ""
    return (
        f"SELECT {', '.join(FIELDS)} FROM alerts FINAL WHERE startsWith(alert_id, {quote(alert_id)}){within}"  # noqa: S608 - quoted
        " ORDER BY alert_id LIMIT 2"
    )
