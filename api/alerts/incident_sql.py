"""Questions about incidents, as SQL over what ClickHouse holds. Pure: text in, text out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from api.alerts.shape import FIELDS as ALERT_FIELDS
from api.query.ctr_sql import quote, time_literal
from api.query.paging import DEFAULT, among, time_text
from api.query.row_times import iso
from sori.alerting.alert import Severity
from sori.alerting.incident import Incident, IncidentState
from sori.errors import ConfigError
from sori.places import composed, head_of, paths_of
from sori.rule_names import RULES
from sori.suggest import none_of

#: The fields of a record, in the order of the type.
FIELDS: tuple[str, ...] = tuple(name for name in Incident.__struct_fields__ if name != "change")
STATES: tuple[str, ...] = get_args(IncidentState)
PARAMETERS = ("account", "rule", "severity", "place", "campaign", "device", "state")
KEYS = ("updated_at", "incident_id")
_TIMES = ("opened_at", "updated_at", "closed_at")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter: an incident passes when each field that is not empty has a value for it."""

    account: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    state: tuple[str, ...] = ()


def wanted_of(asked: Mapping[str, Sequence[str] | None]) -> Wanted:
    """From values by parameter, as the API and `sori incidents` take them. Raises ConfigError for what is not known."""
    given = {name: tuple(asked.get(name) or ()) for name in PARAMETERS}
    for name, known in (("state", STATES), ("severity", get_args(Severity)), ("rule", RULES)):
        if wrong := [value for value in given[name] if value not in known]:
            raise ConfigError(none_of(name, wrong[0], known))
    return Wanted(**given)


def incidents_sql(
    wanted: Wanted,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[str, ...] | None = None,
    limit: int = DEFAULT,
) -> str:
    """Latest change first; `after` is (updated_at, incident_id) of the last row already seen."""
    conditions = [
        "merged_into = ''",
        among("account_id", wanted.account),
        among("severity", wanted.severity),
        among("state", wanted.state),
        _any("rules", wanted.rule),
        _any("devices", wanted.device),
        _places(wanted.place),
        _campaigns(wanted.campaign),
        f"updated_at >= {time_literal(since)}" if since else "",
        f"updated_at < {time_literal(until)}" if until else "",
    ]
    if after is not None:
        at = time_text(after[0])
        conditions.append(f"(updated_at < {at} OR (updated_at = {at} AND toString(incident_id) > {quote(after[1])}))")
    where = " AND ".join(part for part in conditions if part)
    return (
        f"SELECT {', '.join(FIELDS)} FROM incidents FINAL WHERE {where} "  # noqa: S608 - every value is quoted above
        f"ORDER BY updated_at DESC, toString(incident_id) LIMIT {int(limit)}"
    )


def incident_sql(beginning: str, accounts: Sequence[str]) -> str:
    """At most two incidents whose ids begin so, those that went into others included."""
    within = f" AND {condition}" if (condition := among("account_id", accounts)) else ""
    return (
        f"SELECT {', '.join(FIELDS)} FROM incidents FINAL WHERE startsWith(incident_id, {quote(beginning)}){within}"  # noqa: S608 - quoted
        " ORDER BY incident_id LIMIT 2"
    )


def alerts_in_sql(incident: Mapping[str, Any]) -> str:
    """The alerts of an incident as they are stored, the first one first."""
    ids = incident["alert_ids"]
    return (
        f"SELECT {', '.join(ALERT_FIELDS)} FROM alerts FINAL WHERE account_id = {quote(incident['account_id'])}"  # noqa: S608 - quoted
        f" AND {among('alert_id', ids) or '0'} ORDER BY opened_at, alert_id"
    )


def incidents_of_sql(alerts: Iterable[tuple[str, str]]) -> str:
    """Which incident each of these alerts, (account, id), is in; by the table's key."""
    keys = ", ".join(f"({quote(account)}, {quote(alert)})" for account, alert in alerts)
    return (
        "SELECT alert_id, incident_id FROM incident_of_alert FINAL"  # noqa: S608 - quoted
        f" WHERE (account_id, alert_id) IN ({keys})"
    )


def as_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the record it was made of: times ISO 8601 with Z, the alerts objects."""
    found = iso({name: row[name] for name in FIELDS}, _TIMES)
    found["alerts"] = json.loads(row["alerts"] or "[]")
    for name in ("version", "alert_count", "open_alerts"):
        found[name] = int(found[name])
    return found


def _any(column: str, values: Sequence[str]) -> str:
    return f"hasAny({column}, [{', '.join(map(quote, values))}])" if values else ""


def _campaigns(campaigns: Sequence[str]) -> str:
    either = [_any(column, campaigns) for column in ("campaigns", "affected_campaigns")]
    return f"({' OR '.join(either)})" if campaigns else ""


def _places(places: Sequence[str]) -> str:
    """Within any of them: a whole path names itself alone, a shorter one what begins with its parts."""
    conditions = []
    for place in map(composed, places):
        head = head_of(place)
        begins = f"arrayExists(one -> startsWith(one, {quote(head)}), places)"
        conditions.append(begins if head else _any("places", paths_of(place)))
    return f"({' OR '.join(conditions)})" if conditions else ""
