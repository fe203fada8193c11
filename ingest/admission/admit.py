"""Is this body an event we store? Signature first, then schema, account and time. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ingest.admission.endpoints import Endpoint, EndpointTable
from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from sori import records
from sori.errors import EventError, InvalidEvent, MalformedEvent, SignatureError, UnknownEvent
from sori.events import Event, decode
from sori.identity import identity, partition_key
from sori.records import event_headers
from sori.signature import Scheme

#: Why a body is no event, as the quarantine's `reason` header says it.
NOT_JSON, SCHEMA, UNKNOWN_EVENT, CLOCK_SKEW = "not_json", "schema", "unknown_event", "clock_skew"

_CLASSES: dict[type[EventError], tuple[Outcome, str]] = {
    MalformedEvent: (Outcome.MALFORMED, NOT_JSON),
    InvalidEvent: (Outcome.INVALID, SCHEMA),
    UnknownEvent: (Outcome.INVALID, UNKNOWN_EVENT),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What admission needs beside the request."""

    table: EndpointTable
    scheme: Scheme
    events_topic: str
    max_skew_ms: int


class Admitted(NamedTuple):
    """An event to store."""

    record: Record
    account: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A body not to store as an event.

    `kind` is one of a few words, `reason` a sentence about `field`; `verified`: the sender is proven, so it is kept.
    """

    outcome: Outcome
    detail: str
    kind: str = ""
    field: str = ""
    reason: str = ""
    account: str = ""
    verified: bool = False
    key_id: str = ""


def admit(rules: Rules, endpoint: Endpoint, body: bytes, signature: str | None, now_ms: int) -> Admitted | Refused:
    """Decide on one body, exactly as signed. Never raises, whatever the bytes are."""
    key_id = ""
    if endpoint.secrets:
        try:
            key_id = rules.scheme.verify(endpoint.secrets, body, signature)
        except SignatureError as error:
            return Refused(Outcome.UNAUTHORIZED, str(error))
    verified = bool(endpoint.secrets)
    try:
        event = decode(body)
        created_ms = event.created_ms
    except EventError as error:
        return refuse_event(error, rules.table.claimant(endpoint, body), verified=verified, key_id=key_id)
    account = event.account_id
    if not rules.table.allows(endpoint, account):
        detail = f"account {account[:100]!r} may not post to endpoint {endpoint.name!r}"
        return Refused(Outcome.FORBIDDEN, detail, "forbidden", "account_id", "not allowed here", "", verified, key_id)
    if created_ms > now_ms + rules.max_skew_ms:
        reason = f"{(created_ms - now_ms) / 1000:.0f} s ahead of our clock"
        detail = f"created_at: {reason}"
        return Refused(Outcome.INVALID, detail, CLOCK_SKEW, "created_at", reason, account, verified, key_id)
    record = event_record(
        rules.events_topic, event, body, endpoint=endpoint.name, key_id=key_id, now_ms=now_ms, verified=verified
    )
    return Admitted(record, account)


def refuse_event(error: EventError, account: str, *, verified: bool, key_id: str) -> Refused:
    """The refusal of a body that is no event."""
    outcome, kind = _CLASSES[type(error)]
    return Refused(outcome, str(error), kind, error.field, error.reason, account, verified, key_id)


def event_record(
    topic: str, event: Event, body: bytes, *, endpoint: str, key_id: str, now_ms: int, verified: bool
) -> Record:
    """The record of an admitted event."""
    common = _common_headers(event.account_id, event.name, endpoint, verified, key_id)
    last = (records.IDENTITY, identity(event).encode("utf-8", "surrogatepass"))
    return Record(topic, partition_key(event), body, now_ms, [*common, last])


@lru_cache(maxsize=4096)
def _common_headers(
    account: str, event: str, endpoint: str, verified: bool, key_id: str
) -> tuple[tuple[str, bytes], ...]:
    """All headers but the last. Made once per sender: tuples made per event cost twice, again in the collector."""
    headers = event_headers(
        account=account, event=event, endpoint=endpoint, verified=verified, key_id=key_id, identity=""
    )
    return tuple(headers[:-1])
