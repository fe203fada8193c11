"""Kafka records without Kafka."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sori.records import event_headers


@dataclass(frozen=True)
class FakeRecord:
    """What the sinks need of a record."""

    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_760_419_513_000
    headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def body(**changes: object) -> bytes:
    """An impression as SORI sends it; a change to None leaves the field out."""
    event = {
        "event": "campaign.impression",
        "account_id": "acc_1",
        "created_at": "2025-10-14T05:25:12.421Z",
        "activity_id": "act_1",
        "device_id": "dev_1",
        "platform": "Android",
        "campaign": {"id": "cmp_1", "name": "Fall", "tags": ["a", "b"], "image": "https://x/c.png"},
        **changes,
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def event_record(offset: int = 0, partition: int = 0, *, identity: str | None = None, **changes: object) -> FakeRecord:
    """An event as the ingress writes it; without an identity its number."""
    name = identity or f"act_{partition}_{offset}"
    raw = body(activity_id=name, **changes)
    event = str(changes.get("event", "campaign.impression"))
    headers = event_headers(
        account="acc_1", event=event, endpoint="/webhooks/sori", verified=True, key_id="k1", identity=name
    )
    return FakeRecord(raw, offset, partition, headers=headers)
