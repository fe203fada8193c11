"""What a verdict is about: the alert whose id is given, or how it begins, and whom it accuses. Asks by SQL."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.query.ctr_sql import quote
from api.query.paging import among
from sori.alerting.verdict import MOST_ALLOWED, Allowed, TargetKind
from sori.errors import QueryError


@dataclass(frozen=True, slots=True)
class Target:
    """An alert or an incident. `accused`: everybody it is about, each with the rule."""

    target: str
    kind: TargetKind
    account: str
    rule: str
    subject_kind: str
    subject: str
    accused: tuple[Allowed, ...]


#: Yields SQL, is sent its rows: the caller asks, here or over HTTP.
Finding = Generator[str, list[dict[str, Any]], Target]


class NoSuchTarget(QueryError):
    """No alert's id is this or begins so, or several do."""


def find_target(wanted: str, accounts: Sequence[str] = ()) -> Finding:
    """The alert of these accounts, if there are any. Raises NoSuchTarget."""
    found = (yield _alert_sql(wanted, accounts)) if wanted else []
    if not found:
        raise NoSuchTarget(f"no alert {wanted[:100]!r} is stored; a new one takes a second to arrive")
    if len(found) > 1 and found[0]["alert_id"] != wanted:
        raise NoSuchTarget(
            f"several alerts begin with {wanted!r}, such as {' and '.join(a['alert_id'] for a in found)}"
        )
    return _of_alert(found[0])


def _of_alert(row: Mapping[str, Any]) -> Target:
    members = json.loads(row["evidence"] or "{}").get("members") or [row["subject"]]
    accused = tuple(Allowed(row["rule"], row["subject_kind"], str(one)) for one in members[:MOST_ALLOWED])
    return Target(
        row["alert_id"], "alert", row["account_id"], row["rule"], row["subject_kind"], row["subject"], accused
    )


def _alert_sql(wanted: str, accounts: Sequence[str]) -> str:
    within = f" AND {condition}" if (condition := among("account_id", accounts)) else ""
    return (
        "SELECT alert_id, account_id, rule, subject_kind, subject, evidence FROM alerts FINAL"  # noqa: S608 - quoted
        f" WHERE startsWith(alert_id, {quote(wanted)}){within} ORDER BY alert_id LIMIT 2"
    )
