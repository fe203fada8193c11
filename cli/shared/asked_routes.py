"""Questions that an API's routes answer within the accounts of the token; SQL it takes from a token for all of them.

Where there is no API the same questions go to the engine, as SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from api.query.engine import HttpEngine, rows
from api.query.questions import answer
from sori.errors import QueryError

if TYPE_CHECKING:
    from datetime import datetime

    from api.alerts.story import CardOf
    from api.query.engine import Engine

#: As ids they would be the path of something else, and no alert's id begins so.
_OTHER_PATHS = ("", ".", "..", "stream")
#: Values by parameter of the route.
Asked = Mapping[str, Sequence[str] | None]


def rates(engine: Engine, asked: Asked, fmt: str) -> bytes:
    """Click-through rates as ndjson, csv or parquet. Raises QueryError for what cannot be asked."""
    from api.query.ctr_question import FORMATS, asked_ctr, ctr

    question = asked_ctr(asked)
    if isinstance(engine, HttpEngine):
        return engine.get("/v1/ctr", [*_pairs(asked), ("format", fmt)])
    return engine.raw(ctr(question, fmt), FORMATS[fmt])


def alerts(engine: Engine, asked: Asked, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """Stored alerts, latest change first. Raises ConfigError for what is not known."""
    from api.alerts.filters import asked_filter
    from api.alerts.pages import alerts_sql
    from api.alerts.shape import as_record

    wanted = asked_filter(asked)
    if isinstance(engine, HttpEngine):
        given = [*_pairs(asked), *([("since", since.isoformat())] if since else [])]
        return paged(engine, "/v1/alerts", given, limit)
    return [as_record(row) for row in rows(engine, alerts_sql(wanted, since=since, limit=limit))]


def incidents(engine: Engine, asked: Asked, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """Stored incidents, latest change first. Raises ConfigError for what is not known."""
    from api.alerts.incident_sql import as_record, incidents_sql, wanted_of

    wanted = wanted_of(asked)
    if isinstance(engine, HttpEngine):
        given = [*_pairs(asked), *([("since", since.isoformat())] if since else [])]
        return paged(engine, "/v1/incidents", given, limit)
    return [as_record(row) for row in rows(engine, incidents_sql(wanted, since=since, limit=limit))]


def incident(engine: Engine, beginning: str) -> dict[str, Any] | None:
    """An incident and its alerts; None where no id begins so. Raises QueryError where several do."""
    from api.alerts.incidents import NoSuchIncident, tell

    if not beginning or beginning in _OTHER_PATHS:
        return None
    if isinstance(engine, HttpEngine):
        path = f"/v1/incidents/{quote(beginning, safe='', errors='surrogateescape')}"
        try:
            return cast("dict[str, Any]", json.loads(engine.get(path, [])))
        except QueryError as error:
            if str(error).startswith("no incident"):
                return None
            raise
    try:
        return answer(tell(beginning), partial(rows, engine))
    except NoSuchIncident as error:
        if error.several:
            raise
        return None


def story(engine: Engine, alert_id: str, pane_s: int, card_of: CardOf, limit: int) -> dict[str, Any]:
    """All that is known of an alert. Raises QueryError where there is none, or more than one that begins so.

    An API tells of the rules by its own settings, else `card_of` does.
    """
    from api.alerts.story import none_stored, tell

    if isinstance(engine, HttpEngine):
        if alert_id in _OTHER_PATHS:
            raise none_stored(alert_id)
        path = f"/v1/alerts/{quote(alert_id, safe='', errors='surrogateescape')}"
        return cast("dict[str, Any]", json.loads(engine.get(path, [("events", str(limit))])))
    return answer(tell(alert_id, pane_s, card_of, limit), partial(rows, engine))


def paged(engine: HttpEngine, path: str, given: Sequence[tuple[str, str]], limit: int) -> list[dict[str, Any]]:
    from api.query.paging import MOST

    found: list[dict[str, Any]] = []
    behind: list[tuple[str, str]] = []
    while len(found) < limit:
        size = ("limit", str(min(MOST, limit - len(found))))
        page = json.loads(engine.get(path, [*given, *behind, size]))
        found += page["rows"]
        if page["next"] is None:
            break
        behind = [("cursor", page["next"])]
    return found


def _pairs(asked: Asked) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, values in asked.items() for value in values or ()]
