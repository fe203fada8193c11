"""An alert as subscribers and ClickHouse see it: always the full state, upserted by id, highest version wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

import orjson

from sori.alerting.alert import Severity, State
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.state.output import Output

#: Namespace of alert ids (RFC 9562, version 5); random, fixed for ever.
_NAMESPACE = UUID("6d2f4a0e-8c55-4d0e-9d2b-3a1f5f0e7c41")
_RANK = {"opened": 0, "updated": 1, "closed": 2, "withdrawn": 3}


class Subject(NamedTuple):
    """Whom an alert is about. A place's value is `country/region/city`. A tuple: it is hashed at each click."""

    account_id: str
    kind: Literal["device", "place", "campaign"]
    value: str


#: A count stays one: in an alert 5 is not 5.0, also where it was in a snapshot meanwhile.
Number = int | float


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's judgement that a subject is in a burst now. Counts over [window_start_ms, window_end_ms)."""

    rule: str
    subject: Subject
    window_start_ms: int
    window_end_ms: int
    observed: Number
    expected: Number
    floor: Number
    severity: Severity
    traffic_class: Literal["GIVT", "SIVT"]
    samples: tuple[str, ...] = ()
    campaigns: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def alert_id(rule: str, subject: Subject, start_ms: int) -> str:
    """Stable id: UUIDv5 of rule, account, subject and episode start."""
    return str(uuid5(_NAMESPACE, "\x1f".join((rule, subject.account_id, subject.kind, subject.value, str(start_ms)))))


def version(offset: int, state: State) -> int:
    """Versions grow with the log, and within one flush point from opened to closed."""
    return offset * 4 + _RANK[state]


def alert_output(
    finding: Finding,
    *,
    start_ms: int,
    updated_ms: int,
    closed_ms: int | None,
    state: State,
    offset: int,
    evidence: dict[str, Any],
    subject: Subject | None = None,
    severity: Severity | None = None,
) -> Output:
    """One record of the alerts topic; key is account and subject, so a subject's alerts stay in order.

    `subject` and `severity` are the finding's, unless it is the strongest member's of a group.
    """
    subject = subject or finding.subject
    body = {
        "alert_id": alert_id(finding.rule, subject, start_ms),
        "rule": finding.rule,
        "account_id": subject.account_id,
        "severity": severity or finding.severity,
        "invalid_traffic_class": finding.traffic_class,
        "subject_kind": subject.kind,
        "subject": subject.value,
        "window_start": iso(finding.window_start_ms),
        "window_end": iso(finding.window_end_ms),
        "observed": float(finding.observed),
        "expected": round(float(finding.expected), 3),
        "floor": float(finding.floor),
        "state": state,
        "opened_at": iso(start_ms),
        "updated_at": iso(updated_ms),
        "closed_at": None if closed_ms is None else iso(closed_ms),
        "version": version(offset, state),
        "evidence": evidence,
    }
    key = f"{subject.account_id}/{subject.value}".encode("utf-8", "surrogatepass")
    return Output(FRAUD_ALERTS, orjson.dumps(body), key=key)
