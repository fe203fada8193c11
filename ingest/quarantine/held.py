"""The quarantine topic read back: what is still held, and what a replay makes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from ingest.admission.admit import CLOCK_SKEW, Refused, Rules, event_record, refuse_event
from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from sori.errors import EventError
from sori.events import decode

#: `reason` of the marker that a replay writes for what it landed; its `detail` is the id of what is held no more.
REPLAYED = "replayed"


class Stored(NamedTuple):
    """One record of the topic, as any consumer sees it."""

    partition: int
    offset: int
    timestamp_ms: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """One distinct body in quarantine; SORI's retries of it are counted in `times`. Times in epoch milliseconds."""

    id: str
    body: bytes
    reason: str
    detail: str
    field: str
    endpoint: str
    account: str
    key_id: str
    verified: bool
    content_type: str
    first_ms: int
    last_ms: int
    times: int = 1


def held_id(endpoint: str, body: bytes) -> str:
    """16 hex digits that name a body in quarantine."""
    return blake2b(endpoint.encode() + b"\0" + body, digest_size=8).hexdigest()


def fold(records: Iterable[Stored]) -> list[Held]:
    """What is held after all of `records`, oldest first. A body that comes again after its replay is held again."""
    held: dict[str, Held] = {}
    for record in sorted(records, key=lambda r: (r.timestamp_ms, r.partition, r.offset)):
        found = _held(record)
        if found.reason == REPLAYED:
            held.pop(found.detail, None)
        elif (before := held.get(found.id)) is not None:
            held[found.id] = replace(found, first_ms=before.first_ms, times=before.times + 1)
        else:
            held[found.id] = found
    return sorted(held.values(), key=lambda h: h.first_ms)


def _held(record: Stored) -> Held:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    text = headers.get
    endpoint = text("endpoint", "")
    return Held(
        held_id(endpoint, record.value),
        record.value,
        text("reason", ""),
        text("detail", ""),
        text("field", ""),
        endpoint,
        text("account", ""),
        text("key_id", ""),
        text("verified") == "1",
        text("content_type", ""),
        record.timestamp_ms,
        record.timestamp_ms,
    )


def readmit(rules: Rules, held: Held, now_ms: int) -> Record | Refused:
    """Today's verdict on a held body: its event record, received now, or why not.

    The signature was checked when it came. Received anew, because an event from a fast clock is one of the future only
    as long as its received_at says so.
    """
    try:
        event = decode(held.body)
        created_ms = event.created_ms
    except EventError as error:
        return refuse_event(error, held.account, verified=held.verified, key_id=held.key_id)
    endpoint = next((e for e in rules.table.by_path.values() if e.name == held.endpoint), None)
    if endpoint is not None and not rules.table.allows(endpoint, event.account_id):
        return Refused(Outcome.FORBIDDEN, f"account {event.account_id!r} may not post to {held.endpoint!r}")
    if created_ms > now_ms + rules.max_skew_ms:
        return Refused(Outcome.INVALID, "created_at is still ahead of our clock", CLOCK_SKEW, "created_at")
    return event_record(
        rules.events_topic,
        event,
        held.body,
        endpoint=held.endpoint,
        key_id=held.key_id,
        now_ms=now_ms,
        verified=held.verified,
    )


def marker(topic: str, held: Held, now_ms: int) -> Record:
    """The record that says: this one is held no more."""
    headers = {
        "reason": REPLAYED,
        "detail": held.id,
        "received_at": str(now_ms),
        "endpoint": held.endpoint,
        "account": held.account,
        "verified": "1" if held.verified else "0",
    }
    key = (held.account or held.endpoint).encode("utf-8", "replace")
    return Record(topic, key, b"", now_ms, [(name, value.encode()) for name, value in headers.items()])
