"""Alerts, and the story of each."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.common import Time
from sori.alerting.verdict import Judgement, Verdict


class FraudAlert(msgspec.Struct):
    """Its schema is the one of the topic, see `components`."""


class Evidence(msgspec.Struct):
    """As in FraudAlert."""


class AlertPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end. `stories`: what each alert means, by its id; `incidents`:
    which incident each is in, for those that are in one."""

    rows: list[FraudAlert]
    next: str | None
    stories: dict[str, str]
    incidents: dict[str, str]


class AlertState(msgspec.Struct):
    """An alert as it once was."""

    version: int
    state: Literal["opened", "updated", "closed", "withdrawn"]
    severity: Literal["low", "medium", "high", "critical"]
    observed: float
    expected: float
    window_start: Time
    window_end: Time
    updated_at: Time
    closed_at: Time | None
    stored_at: Time


class Pane(msgspec.Struct):
    """What the subject did in one pane, which begins at this epoch second."""

    pane: int
    impressions: int
    clicks: int
    authentications: int
    events: int
    clicking_devices: int


class RuleParameter(msgspec.Struct):
    """A threshold in force."""

    name: str
    value: float | bool | str | list[str] | None
    meaning: str


class Rule(msgspec.Struct):
    """A rule as a reader needs it. It reads `before_s` seconds before the end of its window."""

    name: str
    statement: str
    judges: list[str]
    parameters: list[RuleParameter]
    before_s: int


class StoryEvent(msgspec.Struct):
    """An event behind an alert; `named` is 1 where the alert names it."""

    created_at: Time
    received_at: Time
    event: str
    identity: str
    device_id: str
    campaign_id: str
    material_id: str
    platform: str
    country: str
    region: str
    city: str
    kafka_partition: int
    kafka_offset: int
    named: int


class VerdictPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[Verdict]
    next: str | None


class StoryVerdict(msgspec.Struct):
    """What an analyst says of it; `until` ends what it allows. `target`: the alert or incident, also one that went into
    this incident."""

    verdict_id: str
    target: str
    verdict: Judgement
    note: str
    by: str
    until: Time | None
    allow: bool
    made_at: Time
    version: int


class Story(msgspec.Struct):
    """All that is known of an alert; panes of `pane_s` seconds. Of a group: of its strongest member.

    `incident_verdicts`: what analysts say of the incident that it is in; `verdicts`: of the alert by itself.
    """

    alert: FraudAlert
    story: str
    evidence: Evidence
    states: list[AlertState]
    pane_s: int
    panes: list[Pane]
    rule: Rule | None
    events: list[StoryEvent]
    verdicts: list[StoryVerdict]
    incident_id: str | None
    incident_verdicts: list[StoryVerdict]
