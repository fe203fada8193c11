"""Subscriptions, and attempts to deliver to them."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.contract.shapes.common import Maybe, Time
from sori.alerting.filter import AlertFilter
from sori.alerting.subscriptions import Format, Per


class Subscription(msgspec.Struct, kw_only=True):
    """`url` is whole for who may manage, else scheme and host; `accounts` null: those of every account."""

    id: str
    name: str
    url: str
    format: Format | Literal["email"]
    digest_s: float
    per: Per
    filter: AlertFilter
    accounts: list[str] | None
    paused: bool
    status: str
    failing_since: Time | None
    waiting: int
    created_at: Time
    old_secrets_sign_until: list[Time]


class SubscriptionWithSecret(Subscription, kw_only=True):
    """The secret is shown this once."""

    secret: str


class Subscriptions(msgspec.Struct):
    """Oldest first."""

    subscriptions: list[Subscription]


class Accepted(msgspec.Struct):
    """It will be done; of a test delivery, the webhook-id that it will have."""

    accepted: bool
    webhook_id: Maybe[str] = msgspec.UNSET


class Attempt(msgspec.Struct):
    """An attempt to deliver; times ISO 8601 with Z. `status` 0: there was no answer."""

    subscription_id: str
    account_id: str
    webhook_id: str
    alert_id: str
    alert_version: int
    attempt: int
    attempted_at: str
    host: str
    status: int
    error: str
    outcome: Literal["delivered", "retry", "held", "exhausted"]
    duration_ms: float
    next_attempt_at: str | None


class AttemptPage(msgspec.Struct):
    """`next` is the cursor of the next page; null at the end."""

    rows: list[Attempt]
    next: str | None
