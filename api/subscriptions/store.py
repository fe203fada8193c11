"""Subscriptions as a token sees them: read from the compacted topic, written back to it.

A token sees exactly the subscriptions whose scope lies within its own. Of two writers at the same moment the last wins.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from api.auth.grants import Grant
from api.kafka.views import KafkaSide
from sori.alerting.mail import is_mail
from sori.alerting.subscriptions import Subscription, decode, encode
from sori.alerting.targets import shortened
from sori.errors import ConfigError
from sori.settings.notify import NotifySettings
from sori.times import iso_seconds


class SubscriptionStore:
    """Lists, finds, saves and removes. Every method raises StorageUnavailable without Kafka."""

    def __init__(self, side: KafkaSide, settings: NotifySettings) -> None:
        self._side = side
        self.settings = settings

    def visible(self, grant: Grant) -> list[Subscription]:
        """Every subscription this grant may see, oldest first."""
        self._side.require()
        found = [one for value in self._side.subscriptions.values.values() if (one := _readable(value)) is not None]
        return sorted((one for one in found if _sees(grant, one)), key=lambda one: (one.created_ms, one.id))

    def find(self, subscription_id: str, grant: Grant) -> Subscription | None:
        """One of them, or None; one that may not be seen is as one that is not there."""
        self._side.require()
        value = self._side.subscriptions.values.get(subscription_id)
        one = None if value is None else _readable(value)
        return one if one is not None and _sees(grant, one) else None

    async def save(self, subscription: Subscription) -> None:
        """Check and write. Raises ConfigError."""
        self.settings.check_target(subscription.url)
        subscription.check()
        await self._side.subscriptions.put(subscription.id, encode(subscription))

    async def remove(self, subscription: Subscription) -> None:
        """Delete it; what waits for it is not delivered."""
        await self._side.subscriptions.put(subscription.id, None)

    def shown(self, subscription: Subscription, grant: Grant) -> dict[str, Any]:
        """As JSON, without secrets, with where its deliveries stand. Only who may manage sees the whole URL."""
        found = shown(subscription, self._side.states.values.get(subscription.id))
        return found if grant.may("manage") else {**found, "url": shortened(subscription.url)}


def shown(subscription: Subscription, state: bytes | None) -> dict[str, Any]:
    """A subscription for people's eyes: no secrets. `state` is its record of sori.delivery-state."""
    standing = msgspec.json.decode(state) if state else {}
    waiting = sum(len(queue.get("waiting", ())) for queue in standing.get("lanes", ()))
    failing = standing.get("failing_since_s")
    return {
        "id": subscription.id,
        "name": subscription.name,
        "url": subscription.url,
        "format": "email" if is_mail(subscription.url) else subscription.format,
        "digest_s": subscription.digest_s,
        "per": subscription.per,
        "filter": msgspec.to_builtins(subscription.filter),
        "accounts": None if subscription.scope is None else list(subscription.scope),
        "paused": subscription.paused,
        "status": _status(subscription, standing),
        "failing_since": None if failing is None else iso_seconds(int(failing * 1000)),
        "waiting": waiting,
        "created_at": iso_seconds(subscription.created_ms),
        "old_secrets_sign_until": [
            iso_seconds(old.until_ms) for old in subscription.old_secrets if old.until_ms > time.time() * 1000
        ],
    }


def _status(subscription: Subscription, standing: dict[str, Any]) -> str:
    if standing.get("disabled"):
        return f"disabled: {standing['disabled']}"
    if subscription.paused:
        return "paused"
    return "failing" if standing.get("failing_since_s") is not None else "active"


def _sees(grant: Grant, subscription: Subscription) -> bool:
    if grant.accounts is None:
        return True
    return subscription.scope is not None and grant.accounts.issuperset(subscription.scope)


def _readable(value: bytes) -> Subscription | None:
    try:
        return decode(value)
    except ConfigError:
        return None
