"""What makes two deliveries the same event, and where an event goes in Kafka.

**One event** is one (account_id, event, identity). The identity is the activity_id, where it names something (see
sori.absent); else a digest of what the event says. Nothing else belongs to it. So:

- An impression and its click may share an activity_id, as they do in the contract's own samples: they are two events.
- `timestamp` is a delivery time, renewed by every retry: it never counts.
- A repetition is one event also when its created_at, its device or an optional field differ. **The first received
  wins**: its created_at says in which window it counts, and its fields say for whom.
- Without an activity_id nothing tells a repetition but its content, so all that is told of the event counts: account,
  device, created_at as it is written, campaign, material, metadata. Two such events that say the same are one.

The identity is found once, where the event is admitted, from its plain form (sori.reading), and travels in a header:
windows and ClickHouse take it from there.

The key keeps a device's events in one partition, in order: device rules need its whole past, and a repetition by
SORI's retries, which send the same body, meets the first delivery there. A repetition that changes its device or its
created_at, or whose window is gone, is not met there: the sinks know it by its identity, and count its windows again
(sinks/upkeep/repetitions.py). What keying by identity would cost instead: docs/architecture.md.

First received: by the record's timestamp (received_at), then by offset (modulo 4,096), partition and log.
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
