"""Incidents, and the story of each."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.alerts import FraudAlert, StoryVerdict
from api.contract.shapes.common import Time


class IncidentAlert(msgspec.Struct):
    """An alert of an incident, in its newest state; `count`: of how many subjects it is."""

    alert_id: str
    rule: str
    severity: str
    state: Literal["opened", "updated", "closed", "withdrawn"]
    subject_kind: Literal["device", "place", "campaign"]
    subject: str
    opened_at: Time
    ended_at: Time
    observed: float
    version: int
    story: str
    count: int


class Incident(msgspec.Struct):
    """Alerts of one account about one thing. `devices`, `places`, `campaigns`: what they have in common."""

    incident_id: str
    account_id: str
    state: Literal["open", "closed", "withdrawn"]
    severity: Literal["low", "medium", "high", "critical"]
    opened_at: Time
    updated_at: Time
    closed_at: Time | None
    story: str
    alert_count: int
    open_alerts: int
    rules: list[str]
    subjects: list[str]
    devices: list[str]
    places: list[str]
    campaigns: list[str]
    affected_campaigns: list[str]
    alert_ids: list[str]
    alerts: list[IncidentAlert]
    merged_into: str
    version: int


class IncidentPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[Incident]
    next: str | None


class IncidentStory(msgspec.Struct):
    """An incident, its alerts as they are stored, what each of them means, by its id, and what analysts say of it.

    `alert_verdicts`: what they say of single alerts in it; each judges that alert, and not the incident. `gravest`: the
    id of the alert that its story ends with, empty where that is not known.
    """

    incident: Incident
    story: str
    gravest: str
    alerts: list[FraudAlert]
    stories: dict[str, str]
    verdicts: list[StoryVerdict]
    alert_verdicts: list[StoryVerdict]
