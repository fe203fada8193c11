"""The quarantine topic read back: what is still held, and what a replay makes of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

from ingest.admission.admit import AdmissionPolicy, Refused, event_record, refuse_event
from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from ingest.http.content_coding import NotReadable, TooLarge, encoding_of, inflate
from sori.errors import EventError
from sori.quarantine import Quarantined, Reason, parse
from sori.reading import read
from sori.records import REPLAYED, ROWS
from sori.topics import (
    CTR_WINDOWS,
    DELIVERY_ATTEMPTS,
    DEVICE_WINDOWS,
    EVENTS,
    FRAUD_ALERTS,
    INCIDENTS,
    LATE,
    SESSION_RECORDS,
)

#: Rows that ClickHouse refused go back to their topic: a repeated row is an upsert. Alerts are marked as no news.
_ROW_TOPICS = {t.suffix for t in (CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS, INCIDENTS, LATE)}
_ROW_TOPICS |= {SESSION_RECORDS.suffix, DELIVERY_ATTEMPTS.suffix}


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
    content_encoding: str
    source_topic: str
    first_ms: int
    last_ms: int
    times: int = 1


def fold(records: Iterable[Stored]) -> list[Held]:
    """What is held after all of `records`, oldest first. A body that comes again after its replay is held again."""
    held: dict[str, Held] = {}
    formerly: dict[str, str] = {}
    for record in sorted(records, key=lambda r: (r.timestamp_ms, r.partition, r.offset)):
        entry = parse(record.headers, record.value, record.timestamp_ms)
        if entry.reason == Reason.REPLAYED:
            held.pop(formerly.get(entry.id, entry.id), None)
            continue
        found = _held(entry, record)
        formerly[_former_id(entry.endpoint, record.value)] = entry.id
        if (before := held.get(found.id)) is not None:
            found = replace(found, first_ms=before.first_ms, times=before.times + 1)
        held[found.id] = found
    return sorted(held.values(), key=lambda h: h.first_ms)


def about(records: Iterable[Stored], ids: Collection[str]) -> list[Stored]:
    """Records that `fold` needs to tell of `ids`; every marker, as it may name a former id."""
    kept = []
    for record in records:
        entry = parse(record.headers, record.value, record.timestamp_ms)
        if entry.reason == Reason.REPLAYED or entry.id in ids:
            kept.append(record)
    return kept


def _former_id(endpoint: str, body: bytes) -> str:
    """What releases before `stable_id` wrote into a marker; may go when their records have expired (30 days)."""
    return blake2b(endpoint.encode("utf-8", "replace") + b"\0" + body, digest_size=8).hexdigest()


def _held(entry: Quarantined, record: Stored) -> Held:
    return Held(
        id=entry.id,
        body=record.value,
        reason=entry.reason,
        detail=entry.detail,
        field=entry.field,
        endpoint=entry.endpoint,
        account=entry.account,
        key_id=entry.key_id,
        verified=entry.verified,
        content_type=entry.content_type,
        content_encoding=entry.content_encoding,
        source_topic=entry.source_topic,
        first_ms=record.timestamp_ms,
        last_ms=record.timestamp_ms,
    )


def readmit(rules: AdmissionPolicy, held: Held, now_ms: int) -> Record | Refused:
    """Today's verdict on what is held: the record that it becomes, received now, or why not.

    The signature was checked when it came. Received anew, because an event from a fast clock is one of the future only
    as long as its received_at says so.
    """
    if held.source_topic not in ("", EVENTS.suffix):
        return _row_again(rules, held, now_ms)
    try:
        body = _readable(rules, held)
        reading = read(body, rules.reading)
    except (NotReadable, TooLarge) as error:
        return Refused(Outcome.MALFORMED, str(error), Reason.UNREADABLE)
    except EventError as error:
        return refuse_event(error, held.account, verified=held.verified, key_id=held.key_id)
    event, created_ms = reading.event, reading.created_ms
    if not rules.table.may_return(held.endpoint, held.key_id, event.account_id):
        detail = f"account {event.account_id[:100]!r} may not post to {held.endpoint or 'any endpoint'!r}"
        return Refused(Outcome.FORBIDDEN, detail, Reason.FORBIDDEN)
    if created_ms > now_ms + rules.max_skew_ms:
        return Refused(Outcome.INVALID, "created_at is still ahead of our clock", Reason.CLOCK_SKEW, "created_at")
    return event_record(
        rules.events_topic,
        reading,
        body,
        endpoint=held.endpoint,
        key_id=held.key_id,
        now_ms=now_ms,
        verified=held.verified,
    )


def _readable(rules: AdmissionPolicy, held: Held) -> bytes:
    """The body, inflated where it is held as it was on the wire. Raises NotReadable or TooLarge."""
    if held.reason != Reason.UNREADABLE:
        return held.body
    encoding = encoding_of(held.content_encoding)
    if encoding is None:
        raise NotReadable(f"Content-Encoding {held.content_encoding!r} is still not one of ours")
    return inflate(encoding, held.body, rules.max_inflated_bytes)


def _row_again(rules: AdmissionPolicy, held: Held, now_ms: int) -> Record | Refused:
    """A row of ours that ClickHouse refused goes back to where it came from."""
    if held.source_topic not in _ROW_TOPICS:
        return Refused(Outcome.INVALID, f"rows of {held.source_topic} are not sent again", Reason.SINK_REJECTED)
    return Record(rules.topic(held.source_topic), b"", held.body, now_ms, [(ROWS, b"1"), (REPLAYED, b"1")])


def marker(topic: str, held: Held, now_ms: int) -> Record:
    """The record that says: this one is held no more."""
    entry = Quarantined(
        id=held.id,
        reason=Reason.REPLAYED,
        detail=held.id,
        received_at=now_ms,
        endpoint=held.endpoint,
        account=held.account,
        verified=held.verified,
    )
    return Record(topic, entry.key, b"", now_ms, entry.headers())
