"""An incident: alerts of one account about one thing, as one record of the compacted topic sori.incidents.

Written by `sori notify` only, keyed by the incident's id. A record is the full state; the highest version wins, and
versions grow over all incidents. Whoever has all records has all that joining further alerts needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
import orjson

from sori.alerting.alert import ENDED, RANK, Alert, parse_alert
from sori.errors import InvalidEvent, MalformedEvent

IncidentState = Literal["open", "closed", "withdrawn"]
#: What a record is the news of. `updated` is none; `merged`: it went into an older incident.
Change = Literal["opened", "escalated", "reopened", "updated", "closed", "withdrawn", "merged"]
#: Changes that people are told.
NEWS: frozenset[Change] = frozenset({"opened", "escalated", "reopened", "closed", "withdrawn", "merged"})
#: Namespace of incident ids (RFC 9562, version 5); random, fixed for ever.
_NAMESPACE = UUID("0b4a2f0c-51c8-4b2e-9a43-f2d0a6d17e58")


class Member(msgspec.Struct, frozen=True):
    """One alert of an incident, in the state that was seen last. A group's alert is one; `count` says of how many."""

    alert_id: str
    rule: str
    severity: str
    state: str
    subject_kind: str
    subject: str
    opened_at: str
    ended_at: str  # so far: the last activity, or the end
    observed: float
    version: int
    story: str
    count: int = 1

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in ENDED


def gravest(members: Sequence[Member]) -> Member:
    """The alert that stands for its incident: of those not taken back, where there are any. At least one member."""
    standing = [one for one in members if one.state != "withdrawn"] or members
    return max(standing, key=lambda one: (RANK.get(one.severity, 0), one.count, one.observed, one.alert_id))


class Incident(msgspec.Struct, frozen=True):
    """One record. Times are ISO 8601 with Z, event time. `devices`, `places`, `campaigns`: what its alerts have in
    common with each other or may have with further ones; `subjects`: whom its alerts are about, `kind value`."""

    incident_id: str
    account_id: str
    state: IncidentState
    change: Change
    severity: str
    opened_at: str
    updated_at: str
    closed_at: str | None
    story: str
    alert_count: int
    open_alerts: int
    rules: tuple[str, ...]
    subjects: tuple[str, ...]
    devices: tuple[str, ...]
    places: tuple[str, ...]
    campaigns: tuple[str, ...]
    affected_campaigns: tuple[str, ...]
    alert_ids: tuple[str, ...]
    alerts: tuple[Member, ...]
    merged_into: str
    version: int


class IncidentNotice(Alert, frozen=True):
    """An incident in the words of an alert, so that filters, queues and attempts take either."""

    rules_of: tuple[str, ...] = ()
    places_of: tuple[str, ...] = ()
    campaigns_of: tuple[str, ...] = ()
    change: Change = "updated"

    @property
    def rules(self) -> frozenset[str]:
        """Every rule of its alerts."""
        return frozenset(self.rules_of)

    @property
    def places(self) -> frozenset[str]:
        """Every place that it is about."""
        return frozenset(self.places_of)

    @property
    def campaigns(self) -> frozenset[str]:
        """Every campaign it concerns."""
        return frozenset(self.campaigns_of)


#: How a filter by an alert's states reads an incident's changes.
STATES: Mapping[Change, str] = {
    "opened": "opened",
    "escalated": "updated",
    "reopened": "updated",
    "updated": "updated",
    "closed": "closed",
    "withdrawn": "withdrawn",
    "merged": "closed",
}
_decoder = msgspec.json.Decoder(Incident)


def incident_id(first_alert_id: str) -> str:
    """Stable id: UUIDv5 of the alert that the incident began with."""
    return str(uuid5(_NAMESPACE, first_alert_id))


def encode_incident(incident: Incident) -> bytes:
    """The record's value."""
    return msgspec.json.encode(incident)


def parse_incident(value: bytes) -> Incident:
    """Decode a record's value. Raises MalformedEvent or InvalidEvent."""
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise InvalidEvent(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedEvent(str(error)) from error


def parse_notice(value: bytes) -> IncidentNotice:
    """A record of the topic as something to tell. Raises MalformedEvent or InvalidEvent."""
    found = parse_incident(value)
    return IncidentNotice(
        alert_id=found.incident_id,
        rule=found.rules[0] if len(found.rules) == 1 else "incident",
        account_id=found.account_id,
        severity=found.severity,
        subject_kind="incident",
        subject=found.incident_id,
        state=STATES[found.change],
        version=found.version,
        opened_at=found.opened_at,
        updated_at=found.updated_at,
        closed_at=found.closed_at,
        window_start=found.opened_at,
        window_end=found.closed_at or found.updated_at,
        observed=float(found.alert_count),
        rules_of=found.rules,
        places_of=found.places,
        campaigns_of=(*found.campaigns, *found.affected_campaigns),
        change=found.change,
    )


def is_incident(record: Mapping[str, Any]) -> bool:
    """Whether a record of either topic is an incident's."""
    return "incident_id" in record and "alert_id" not in record


def read_record(value: bytes) -> tuple[Alert, dict[str, Any]]:
    """A record of either topic, and its JSON. Raises MalformedEvent or InvalidEvent."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise MalformedEvent(str(error)) from error
    return (parse_notice(value) if is_incident(record) else parse_alert(value)), record
