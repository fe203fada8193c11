"""One incident in the making: its alerts, what they share, from when to when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from notify.incidents.story import incident_story
from notify.incidents.things import Thing
from sori.alerting.alert import RANK
from sori.alerting.incident import Change, Incident, IncidentState, Member, gravest
from sori.times import iso

_KINDS = {"device": "devices", "place": "places", "campaign": "campaigns"}
_MOST_CAMPAIGNS = 50


@dataclass(slots=True)
class Growing:
    """Times are epoch milliseconds of event time: the span reaches from the first event to the last activity."""

    incident_id: str
    account_id: str
    begin_ms: int
    end_ms: int
    members: dict[str, Member] = field(default_factory=dict)
    things: dict[Thing, None] = field(default_factory=dict)
    campaigns: dict[str, None] = field(default_factory=dict)  # that its alerts name at all
    rules: set[str] = field(default_factory=set)
    going_on: int = 0  # of its alerts: counted as they come, since every new alert of the account asks
    text_bytes: int = 0  # of its alerts in a record
    name_bytes: int = 0  # of its things there
    merged_into: str = ""
    stale: bool = False  # open by its alerts, of which nothing was heard for very long
    written: Incident | None = None  # the newest record

    @property
    def open_alerts(self) -> int:
        """Alerts that go on."""
        return 0 if self.stale else self.going_on

    @property
    def state(self) -> IncidentState:
        """Open while an alert is; withdrawn when all were."""
        if self.merged_into:
            return "closed"
        if self.open_alerts:
            return "open"
        return "withdrawn" if all(one.state == "withdrawn" for one in self.members.values()) else "closed"

    @property
    def order(self) -> tuple[bool, int, str]:
        """Into the first of these go the others: what people know already, then what began first."""
        return (self.written is None, self.begin_ms, self.incident_id)

    def share(self, thing: Thing, most_bytes: int) -> None:
        """Take note of a thing, unless its things' names would become longer than that, all in all."""
        size = len(orjson.dumps(thing[1]))
        if thing not in self.things and self.name_bytes + size <= most_bytes:
            self.things[thing] = None
            self.name_bytes += size

    def put(self, member: Member) -> None:
        """Take an alert in, or its next state."""
        if before := self.members.get(member.alert_id):
            self.going_on -= not before.ended
            self.text_bytes -= text_bytes(before)
        self.members[member.alert_id] = member
        self.rules.add(member.rule)
        self.going_on += not member.ended
        self.text_bytes += text_bytes(member)

    def shares(self, other: Growing) -> bool:
        """Whether they have a thing in common."""
        return not self.things.keys().isdisjoint(other.things.keys())  # of two views the shorter one is walked

    def near(self, begin_ms: int, end_ms: int, gap_ms: int) -> bool:
        """Whether its span and this one overlap, or lie no further apart."""
        return begin_ms <= self.end_ms + gap_ms and self.begin_ms <= end_ms + gap_ms

    def severity(self) -> str:
        """The highest of its alerts, those taken back left out while there are others."""
        return gravest(list(self.members.values())).severity

    def change(self) -> Change | None:
        """What the next record is the news of; None: nobody ever heard of it, and there is nothing to tell."""
        before, state = self.written, self.state
        if self.merged_into:
            return "merged" if before else None
        if before is None:
            # what opened and was taken back at once is kept, and told nobody
            return {"open": "opened", "closed": "closed", "withdrawn": "updated"}[state]  # type: ignore[return-value]
        if state != before.state:
            return "reopened" if state == "open" else state
        graver = RANK.get(self.severity(), 0) > RANK.get(before.severity, 0)
        return "escalated" if graver and state == "open" else "updated"

    def record(self, version: int, change: Change) -> Incident:
        """The record as of now."""
        members = sorted(self.members.values(), key=lambda one: (one.opened_at, one.alert_id))
        state = self.state
        return Incident(
            incident_id=self.incident_id,
            account_id=self.account_id,
            state=state,
            change=change,
            severity=self.severity(),
            opened_at=iso(self.begin_ms),
            updated_at=iso(self.end_ms),
            closed_at=None if state == "open" else iso(self.end_ms),
            story=incident_story(members, self._named("device"), self._named("place"), self._named("campaign")),
            alert_count=len(members),
            open_alerts=self.open_alerts,
            rules=tuple(sorted(self.rules)),
            subjects=tuple(dict.fromkeys(f"{one.subject_kind} {one.subject}" for one in members)),
            devices=self._named("device"),
            places=self._named("place"),
            campaigns=self._named("campaign"),
            affected_campaigns=tuple(self.campaigns)[:_MOST_CAMPAIGNS],
            alert_ids=tuple(one.alert_id for one in members),
            alerts=tuple(members),
            merged_into=self.merged_into,
            version=version,
        )

    def name_campaigns(self, names: Iterable[str]) -> None:
        """Take note of campaigns that it concerns."""
        for name in names:
            if name and len(self.campaigns) < _MOST_CAMPAIGNS:
                self.campaigns[name] = None

    def _named(self, kind: str) -> tuple[str, ...]:
        return tuple(name for its, name in self.things if its == kind)


def text_bytes(member: Member) -> int:
    """What an alert takes of a record, its subject twice; a control character is six bytes of JSON."""
    return len(orjson.dumps((member.subject, member.subject, member.story)))


def things_in(record: Incident) -> list[Thing]:
    """What the alerts of a written incident share."""
    return [(kind, name) for kind, plural in _KINDS.items() for name in getattr(record, plural)]
