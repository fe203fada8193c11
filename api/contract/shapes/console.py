"""What the console's other pages ask: events, what is held, logins, and tasks of maintenance."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.common import Maybe, Time


class RawEvent(msgspec.Struct):
    """An event."""

    created_at: Time
    received_at: Time
    event: str
    account_id: str
    identity: str
    activity_id: str
    device_id: str
    platform: str
    country: str
    region: str
    city: str
    campaign_id: str
    campaign_name: str
    material_id: str
    material_name: str


class EventPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[RawEvent]
    next: str | None


class TimeToClick(msgspec.Struct):
    """Clicks so soon after their impression, and not sooner than the entry before; null: later than all."""

    below_ms: int | None
    clicks: int


class Funnel(msgspec.Struct):
    """Over one in `share` activities; `matched`: activities with an impression and a click."""

    share: int
    impressions: int
    devices: int
    clicks: int
    clicking_devices: int
    matched: int
    median_ms: int | None
    p90_ms: int | None
    times: list[TimeToClick]


class HeldDelivery(msgspec.Struct):
    """What is held; `body` is its beginning."""

    received_at: Time
    id: str
    reason: str
    detail: str
    field: str
    endpoint: str
    account_id: str
    body: str


class HeldPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[HeldDelivery]
    next: str | None


class StillRefused(msgspec.Struct):
    """Stays in quarantine."""

    id: str
    detail: str


class Replayed(msgspec.Struct):
    """What became of a replay."""

    landed: list[str]
    refused: list[StillRefused]


class AuditedLogin(msgspec.Struct, rename={"kind": "class"}):
    """A login, a record, or a pair of both."""

    kind: Literal["matched", "mismatched", "only_in_sori", "only_in_own"]
    matched_by: str
    account_id: str
    own_account: str
    session: str
    device_id: str
    own_device: str
    login_at: Time | None
    own_at: Time | None
    differs: list[str]


class Audit(msgspec.Struct):
    """Logins by class; rows that do not match first."""

    counts: dict[str, int]
    rows: list[AuditedLogin]


class TaskStep(msgspec.Struct):
    """A line of a maintenance task: how far it is, or its result, or why it ended."""

    done: Maybe[int] = msgspec.UNSET
    total: Maybe[int] = msgspec.UNSET
    note: Maybe[str] = msgspec.UNSET
    result: Maybe[dict[str, int | str | dict[str, int] | list[dict[str, str]]]] = msgspec.UNSET
    error: Maybe[str] = msgspec.UNSET
