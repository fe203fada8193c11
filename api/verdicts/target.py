"""What a verdict is about: the alert or incident whose id is given, or how it begins, and whom it accuses. Asks by SQL.

An incident accuses whom its alerts accuse, each by its rule; one that went into another is judged as that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.alerts.incident_sql import as_record
from api.alerts.incidents import NoSuchIncident, find_incident
from api.query.ctr_sql import quote
from api.query.paging import among
from api.query.questions import Questions
from sori.alerting.verdict import MOST_ALLOWED, Allowed, TargetKind
from sori.errors import QueryError


@dataclass(frozen=True, slots=True)
class Target:
    """An alert or an incident; an incident has no single rule and subject.

    `accused`: everybody it is about, each with the rule; of a crowd that is too large to be allowed, too many as well.
    `unnamed`: an alert whose subjects nobody can name any more, or empty.
    """

    target: str
    kind: TargetKind
    account: str
    rule: str
    subject_kind: str
    subject: str
    accused: tuple[Allowed, ...]
    unnamed: str = ""


#: Yields SQL, is sent its rows: the caller asks, here or over HTTP.
Finding = Questions[Target]


class NoSuchTarget(QueryError):
    """No alert's or incident's id is this or begins so, or several do."""


def find_target(wanted: str, accounts: Sequence[str] = ()) -> Finding:
    """The alert or incident of these accounts, if there are any. Raises NoSuchTarget."""
    alerts = (yield _alert_sql(wanted, accounts)) if wanted else []
    if alerts and alerts[0]["alert_id"] == wanted:
        return _of_alert(alerts[0])
    try:
        incident = as_record((yield from find_incident(wanted, accounts)))
    except NoSuchIncident as error:
        if error.several:
            raise NoSuchTarget(str(error)) from error
        incident = None
    ids = [alert["alert_id"] for alert in alerts] + ([incident["incident_id"]] if incident else [])
    if not ids:
        raise NoSuchTarget(f"no alert or incident {wanted[:100]!r} is stored; a new one takes a second to arrive")
    if len(ids) > 1:
        raise NoSuchTarget(f"several alerts or incidents begin with {wanted!r}, such as {ids[0]} and {ids[-1]}")
    return _of_incident(incident, (yield _accused_sql(incident))) if incident else _of_alert(alerts[0])


def _of_alert(row: Mapping[str, Any]) -> Target:
    members = json.loads(row["evidence"] or "{}").get("members") or [row["subject"]]
    accused = tuple(Allowed(row["rule"], row["subject_kind"], str(one)) for one in members[:MOST_ALLOWED])
    return Target(
        row["alert_id"], "alert", row["account_id"], row["rule"], row["subject_kind"], row["subject"], accused
    )


def _of_incident(incident: Mapping[str, Any], stored: Sequence[Mapping[str, Any]]) -> Target:
    kept = {alert["alert_id"]: alert for alert in stored}
    accused: dict[Allowed, None] = {}
    unnamed = ""
    for member in incident["alerts"]:
        alert = kept.get(member["alert_id"])
        if alert is None and member["count"] > 1:
            unnamed = unnamed or member["alert_id"]
            continue
        names = (alert and alert["members"]) or [member["subject"]]
        accused |= dict.fromkeys(Allowed(member["rule"], member["subject_kind"], name) for name in names)
    target, account = incident["incident_id"], incident["account_id"]
    return Target(target, "incident", account, "", "", "", tuple(accused), unnamed)


def _accused_sql(incident: Mapping[str, Any]) -> str:
    """Of each alert of it that is stored, the members; one more than may be allowed says that it is too many."""
    members = "arrayFilter(name -> name != '', JSONExtract(evidence, 'members', 'Array(String)'))"
    return (
        f"SELECT alert_id, arraySlice({members}, 1, {MOST_ALLOWED + 1}) AS members FROM alerts FINAL"  # noqa: S608 - quoted
        f" WHERE account_id = {quote(incident['account_id'])} AND {among('alert_id', incident['alert_ids']) or '0'}"
    )


def _alert_sql(wanted: str, accounts: Sequence[str]) -> str:
    within = f" AND {condition}" if (condition := among("account_id", accounts)) else ""
    return (
        "SELECT alert_id, account_id, rule, subject_kind, subject, evidence FROM alerts FINAL"  # noqa: S608 - quoted
        f" WHERE startsWith(alert_id, {quote(wanted)}){within} ORDER BY alert_id LIMIT 2"
    )
