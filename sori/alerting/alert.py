"""A fraud alert as its readers see it: what filters look at, and the record's bytes beside it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from sori.errors import InvalidEvent, MalformedEvent

State = Literal["opened", "updated", "closed", "withdrawn"]
#: States of an alert that is over. Withdrawn: what came late explains it.
ENDED: frozenset[str] = frozenset({"closed", "withdrawn"})
#: `closed_because` of an alert whose subject an analyst lets pass.
ALLOWED = "allowed"
Severity = Literal["low", "medium", "high", "critical"]
#: How grave each is; what is not known is least.
RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(get_args(Severity))}


class Evidence(msgspec.Struct, frozen=True):
    """The part of the evidence that filters look at."""

    campaigns: dict[str, Any] = {}
    affected_campaigns: list[str] = []
    members: Any = None  # of a group: names, the first of which is the subject
    member_count: Any = None


class Alert(msgspec.Struct, frozen=True):
    """One record of sori.fraud-alerts. Times are ISO 8601 with Z, event time."""

    alert_id: str
    rule: str
    account_id: str
    severity: str
    subject_kind: str
    subject: str
    state: str
    version: int
    opened_at: str = ""
    updated_at: str = ""
    closed_at: str | None = None
    window_start: str = ""
    window_end: str = ""
    invalid_traffic_class: str = ""
    observed: float = 0.0
    expected: float = 0.0
    floor: float = 0.0
    evidence: Evidence = Evidence()

    @property
    def message_id(self) -> str:
        """The webhook-id: one per state of an alert, the same on every retry, after every crash and replay."""
        return f"msg_{self.alert_id}_{self.version}"

    @property
    def rules(self) -> frozenset[str]:
        """The rules behind it: one."""
        return frozenset((self.rule,))

    @property
    def accused(self) -> tuple[str, ...]:
        """Names of all whom it accuses: its subject, and every member of a group."""
        given = self.evidence.members
        members = (name for name in given if isinstance(name, str)) if isinstance(given, list) else ()
        return tuple(dict.fromkeys((self.subject, *members)))

    @property
    def places(self) -> frozenset[str]:
        """The places that it is about."""
        return frozenset(self.accused) if self.subject_kind == "place" else frozenset()

    @property
    def campaigns(self) -> frozenset[str]:
        """Every campaign it concerns."""
        own = self.accused if self.subject_kind == "campaign" else ()
        return frozenset(set(own) | self.evidence.campaigns.keys() | set(self.evidence.affected_campaigns))


_decoder = msgspec.json.Decoder(Alert)


def parse_alert(value: bytes) -> Alert:
    """Decode a record's value. Raises MalformedEvent or InvalidEvent."""
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise InvalidEvent(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedEvent(str(error)) from error
