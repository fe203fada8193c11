"""What makes two deliveries the same event, and where an event goes in Kafka.

Identity is (account_id, event, activity_id): an impression and its click may share an activity_id, and do in the
contract's own samples. `timestamp` is a delivery time, renewed by every retry, so it is never part of identity.
"""

from __future__ import annotations

from hashlib import blake2b

import orjson

from sori.events import Event


def identity(event: Event) -> str:
    """The part of the identity beside account and event: activity_id, else 32 hex digits of a content digest."""
    return event.activity_id or content_digest(event)


def content_digest(event: Event) -> str:
    """128-bit BLAKE2b of (event, account, device, created_at, campaign, material, metadata), as 32 hex digits.

    Campaign and material belong to it: a bulk change emits many material events within one millisecond.
    """
    subject = [event.name, event.account_id, event.device_id, event.created_at, event.campaign_id, event.material_id]
    parts = [*subject, event.metadata or None]
    try:
        payload = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        payload = repr([*parts[:-1], sorted((event.metadata or {}).items())]).encode("utf-8", "surrogatepass")
    return blake2b(payload, digest_size=16).hexdigest()


def partition_key(event: Event) -> bytes:
    """Kafka key: device_id keeps a device's events in order; else activity_id, else account_id."""
    return (event.device_id or event.activity_id or event.account_id).encode("utf-8", "surrogatepass")
