"""Is this body an event we store? Signature first, then schema, account and time. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from ingest.admission.endpoint_table import Endpoint, EndpointTable, claim
from ingest.admission.outcomes import Outcome
from ingest.admission.proof import UNPROVEN, prove_otherwise
from ingest.admission.record import Record
from sori import records
from sori.errors import EventError, InvalidEvent, MalformedEvent, SignatureError, UnknownEvent
from sori.identity import identity, partition_key
from sori.quarantine import Reason
from sori.reading import DEFAULT, Reading, ReadingPolicy, read
from sori.records import event_headers
from sori.signature import Scheme
from sori.topics import EVENTS

#: `sori ingest check` sends events of this name: judged like any other, and never stored, not even in quarantine.
CHECK_EVENT = "sori.check"

_CLASSES: dict[type[EventError], tuple[Outcome, Reason]] = {
    MalformedEvent: (Outcome.MALFORMED, Reason.NOT_JSON),
    InvalidEvent: (Outcome.INVALID, Reason.SCHEMA),
    UnknownEvent: (Outcome.INVALID, Reason.UNKNOWN_EVENT),
}


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """What admission needs beside the request. `observe`: what nothing proves is stored all the same, unverified."""

    table: EndpointTable
    scheme: Scheme
    events_topic: str
    max_skew_ms: int
    max_inflated_bytes: int = 4_194_304
    observe: bool = False
    reading: ReadingPolicy = DEFAULT

    def topic(self, suffix: str) -> str:
        """The name of another topic of ours."""
        return self.events_topic.removesuffix(EVENTS.suffix) + suffix


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


def admit(
    rules: AdmissionPolicy,
    endpoint: Endpoint,
    body: bytes,
    signature: str | None,
    now_ms: int,
    *,
    wire: bytes | None = None,
) -> Admitted | Refused:
    """Decide on one body, exactly as signed. Never raises, whatever the bytes are.

    `wire`: the body before inflating, where it came encoded; some sign that.
    """
    key_id, verified, foreign = "", bool(endpoint.secrets), False
    if verified:
        try:
            key_id = rules.scheme.verify(endpoint.secrets, body, signature)
        except SignatureError as error:
            key_id = prove_otherwise(rules.scheme, rules.table, endpoint, body, signature, wire=wire)
            foreign = all(secret.key_id != key_id for secret in endpoint.secrets)
            if not key_id and not rules.observe:
                return Refused(Outcome.UNAUTHORIZED, str(error))
            if not key_id:
                key_id, verified, foreign = UNPROVEN[type(error)], False, False
    try:
        reading = read(body, rules.reading)
    except EventError as error:
        if isinstance(error, UnknownEvent) and claim(body).event == CHECK_EVENT:
            return _checked(rules, endpoint, body, key_id, verified=verified)
        account = _vouched(rules, body, key_id) if foreign else rules.table.claimant(endpoint, body)
        return refuse_event(error, account, verified=verified, key_id=key_id)
    account, created_ms = reading.event.account_id, reading.created_ms
    if not (rules.table.vouches(key_id, account) if foreign else rules.table.allows(endpoint, account)):
        return _forbidden(endpoint, account, key_id, verified=verified)
    if created_ms > now_ms + rules.max_skew_ms:
        reason = f"{(created_ms - now_ms) / 1000:.0f} s ahead of our clock"
        detail = f"created_at: {reason}"
        return Refused(
            outcome=Outcome.INVALID,
            detail=detail,
            kind=Reason.CLOCK_SKEW,
            field="created_at",
            reason=reason,
            account=account,
            verified=verified,
            key_id=key_id,
        )
    record = event_record(
        rules.events_topic, reading, body, endpoint=endpoint.name, key_id=key_id, now_ms=now_ms, verified=verified
    )
    return Admitted(record, account)


def admit_wire(
    rules: AdmissionPolicy, endpoint: Endpoint, wire: bytes, signature: str | None, now_ms: int, *, unreadable: Refused
) -> Admitted | Refused:
    """Decide on bytes that Content-Encoding does not explain: `unreadable`, unless they are what was signed.

    Then they are an event as they stand (the header was wrong), or are kept until we can read them.
    """
    if not endpoint.secrets:
        return unreadable
    decision = admit(replace(rules, observe=False), endpoint, wire, signature, now_ms)
    if isinstance(decision, Admitted):
        return decision
    if not decision.verified:
        return unreadable
    if decision.outcome is not Outcome.MALFORMED:
        return decision
    return replace(unreadable, kind=Reason.UNREADABLE, account=decision.account, verified=True, key_id=decision.key_id)


def admit_stray(
    rules: AdmissionPolicy, path: str, body: bytes, signature: str | None, *, wire: bytes | None = None
) -> Refused:
    """Decide on a delivery to a path that no endpoint has: kept, if a secret of ours made its signature."""
    check = claim(body).event == CHECK_EVENT
    key_id = "" if check else prove_otherwise(rules.scheme, rules.table, _NOWHERE, body, signature, wire=wire)
    account = _vouched(rules, body, key_id)
    detail = f"no endpoint has the path {path[:200]!r}"
    return Refused(
        outcome=Outcome.NOT_FOUND,
        detail=detail,
        kind=Reason.NOT_FOUND,
        field="",
        reason=detail,
        account=account,
        verified=bool(key_id),
        key_id=key_id,
    )


def _vouched(rules: AdmissionPolicy, body: bytes, key_id: str) -> str:
    """The account that a body names, if this secret vouches for it; else empty."""
    account = claim(body).account_id
    return account if key_id and rules.table.vouches(key_id, account) else ""


#: Where strays go; its name in the records is empty.
_NOWHERE = Endpoint("", "")


def _forbidden(endpoint: Endpoint, account: str, key_id: str, *, verified: bool) -> Refused:
    detail = f"account {account[:100]!r} may not post to endpoint {endpoint.name!r}"
    reason = "not allowed here"
    return Refused(
        outcome=Outcome.FORBIDDEN,
        detail=detail,
        kind=Reason.FORBIDDEN,
        field="account_id",
        reason=reason,
        account=account,
        verified=verified,
        key_id=key_id,
    )


def _checked(rules: AdmissionPolicy, endpoint: Endpoint, body: bytes, key_id: str, *, verified: bool) -> Refused:
    """The answer to a check. It never says `verified`, which would have it kept."""
    account = claim(body).account_id
    if not rules.table.allows(endpoint, account) and not rules.table.vouches(key_id, account):
        return _forbidden(endpoint, account, key_id, verified=False)
    proof = f"proven by secret {key_id}" if verified else "not proven: stored with verified = 0"
    return Refused(Outcome.CHECKED, f"endpoint {endpoint.name!r}, sender {proof}")


def rate_limited(admitted: Admitted) -> Refused:
    """The refusal of an event beyond its account's limit; kept where its sender is proven, like any other."""
    known = records.parse_headers(admitted.record.headers)
    detail = "beyond ingest.rate_limit_per_s"
    return Refused(
        outcome=Outcome.RATE_LIMITED,
        detail=detail,
        kind=Reason.RATE_LIMITED,
        field="",
        reason=detail,
        account=known.account,
        verified=known.verified,
        key_id=known.key_id,
    )


def refuse_event(error: EventError, account: str, *, verified: bool, key_id: str) -> Refused:
    """The refusal of a body that is no event."""
    outcome, kind = _CLASSES[type(error)]
    return Refused(
        outcome=outcome,
        detail=str(error),
        kind=kind,
        field=error.field,
        reason=error.reason,
        account=account,
        verified=verified,
        key_id=key_id,
    )


def event_record(
    topic: str, reading: Reading, body: bytes, *, endpoint: str, key_id: str, now_ms: int, verified: bool
) -> Record:
    """The record of an admitted event. What is not plain carries its repaired form in two more headers."""
    event = reading.event
    common = _common_headers(event.account_id, event.name, endpoint, verified, key_id)
    last = (records.IDENTITY, identity(event).encode("utf-8", "surrogatepass"))
    headers = [*common, last]
    if reading.canonical:
        headers += [(records.CANONICAL, reading.canonical), (records.DEFECTS, ",".join(reading.defects).encode())]
    return Record(topic, partition_key(event), body, now_ms, headers)


@lru_cache(maxsize=4096)
def _common_headers(
    account: str, event: str, endpoint: str, verified: bool, key_id: str
) -> tuple[tuple[str, bytes], ...]:
    """All headers but the last. Made once per sender: tuples made per event cost twice, again in the collector."""
    headers = event_headers(
        account=account, event=event, endpoint=endpoint, verified=verified, key_id=key_id, identity=""
    )
    return tuple(headers[:-1])
