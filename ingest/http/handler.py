"""One webhook request, from its head to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter, time
from typing import NamedTuple

import structlog
from aiohttp import HttpVersion11, hdrs, web

from ingest.admission.admit import Admitted, Refused, Rules, admit, admit_stray, admit_wire, rate_limited
from ingest.admission.endpoints import Endpoint
from ingest.admission.limits import AccountLabels
from ingest.admission.outcomes import ANSWERS, Outcome, Protocol
from ingest.admission.quarantine_record import quarantine_record
from ingest.admission.record import Record
from ingest.http import responses
from ingest.http.body import BodyBroken, BodyTooLarge, BodyTooSlow, read_body
from ingest.http.content_coding import NotReadable, TooLarge, encoding_of, inflate, is_json
from ingest.http.probes import Probes
from ingest.http.refusal_log import RefusalLog
from ingest.http.signature_watch import SignatureWatch
from ingest.process.metrics import Meters
from runtime.rate_limit import TokenBuckets
from sori.errors import SignatureError
from sori.quarantine import stable_id
from sori.records import parse_headers
from sori.signature import HEADER as SIGNATURE_HEADER
from sori.signature import claimed_digests

Submit = Callable[[Record], asyncio.Future[Outcome]]

#: The endpoint of deliveries to a path that none has; its name in records and logs is empty.
STRAY = Endpoint("", "")
_CODINGS = "Content-Encoding is none of gzip, deflate, identity"

_logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HandlerLimits:
    """Bounds of one request; sizes in bytes, times in seconds."""

    max_body_bytes: int
    max_inflated_bytes: int
    body_timeout_s: float
    max_in_flight: int
    max_buffered_bytes: int
    quarantine_unsigned: bool


class Received(NamedTuple):
    """A body as it can be read, or as on the wire where `unreadable` says why not; `wire` if both are at hand."""

    readable: bytes
    wire: bytes | None = None
    unreadable: Refused | None = None


def received(encoding: str | None, wire: bytes, limit: int) -> Received:
    """Undo Content-Encoding; None is one that we do not know."""
    if not encoding:
        return Received(wire, None, None if encoding == "" else Refused(Outcome.UNSUPPORTED_TYPE, _CODINGS))
    try:
        return Received(inflate(encoding, wire, limit), wire)
    except TooLarge as error:
        return Received(wire, None, Refused(Outcome.TOO_LARGE, str(error)))
    except NotReadable as error:
        return Received(wire, None, Refused(Outcome.MALFORMED, str(error)))


class Webhooks:
    """Answers every request of the port. 2xx only after `submit` says that the event is stored."""

    def __init__(
        self,
        rules: Rules,
        submit: Submit,
        limits: HandlerLimits,
        *,
        probes: Probes,
        meters: Meters,
        buckets: TokenBuckets,
        labels: AccountLabels,
        quarantine_topic: str,
        refusals: RefusalLog,
        watch: SignatureWatch,
    ) -> None:
        self.rules = rules
        self._submit = submit
        self._limits = limits
        self._probes = probes
        self._meters = meters
        self._buckets = buckets
        self._labels = labels
        self._quarantine_topic = quarantine_topic
        self._refusals = refusals
        self._watch = watch
        self.in_flight = 0
        self.buffered_bytes = 0
        self.draining = False

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Route, shed or handle one request."""
        path = request.raw_path
        endpoint = self.rules.table.by_path.get(path)
        close = self.draining or not request.keep_alive or request.version < HttpVersion11
        if endpoint is None:
            # not worth a fast path: probes, query strings, percent-encodings and strangers
            if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
                probe = await self._probes.answer(request.path, close=close)
                if probe is not None:
                    return probe
            endpoint = self.rules.table.find(request.path)
            if endpoint is None and not self._may_be_stray(request):
                return self._stranger(Outcome.NOT_FOUND, request, close=close)
        if request.method != hdrs.METH_POST:
            return self._stranger(Protocol.METHOD_NOT_ALLOWED, request, close=close)
        limits, size = self._limits, request.content_length
        # a chunked body may become that large, and a larger one is refused unread
        size = limits.max_body_bytes if size is None else min(size, limits.max_body_bytes)
        if self.in_flight >= limits.max_in_flight or self.buffered_bytes + size > limits.max_buffered_bytes:
            self._meters.count(Outcome.OVERLOADED, AccountLabels.UNKNOWN)
            return responses.refusal(Outcome.OVERLOADED, close=close or not request.content.is_eof())
        self.in_flight += 1
        self.buffered_bytes += size
        begun = perf_counter()
        try:
            if endpoint is None:
                return await self._stray(request, close=close)
            return await self._deliver(request, endpoint, close=close)
        finally:
            self.in_flight -= 1
            self.buffered_bytes -= size
            self._meters.request_seconds(perf_counter() - begun)

    def _stranger(self, kind: Outcome | Protocol, request: web.BaseRequest, *, close: bool) -> web.StreamResponse:
        self._meters.protocol_error(kind)
        self._refusals.note(kind, "", request, detail=f"{request.method} {request.path}")
        return responses.refusal(kind, close=close)

    def _may_be_stray(self, request: web.BaseRequest) -> bool:
        """Whether it looks like a delivery to a wrong path; worth reading: a mistyped URL would lose every event."""
        if request.method != hdrs.METH_POST or not self.rules.table.secrets:
            return False
        try:
            claimed_digests(_signature(request))
        except SignatureError:
            return False
        return True

    async def _stray(self, request: web.BaseRequest, *, close: bool) -> web.StreamResponse:
        body = await self._body(request, STRAY, close=close)
        if not isinstance(body, Received):
            return body
        refused = admit_stray(self.rules, request.path, body.readable, _signature(request))
        if not refused.verified:
            return self._stranger(Outcome.NOT_FOUND, request, close=close)
        return await self._refused(request, STRAY, refused, body.readable, int(time() * 1000), close=close)

    async def _deliver(self, request: web.BaseRequest, endpoint: Endpoint, *, close: bool) -> web.StreamResponse:
        body = await self._body(request, endpoint, close=close)
        if not isinstance(body, Received):
            return body
        now_ms = int(time() * 1000)
        signature = _signature(request)
        if body.unreadable is None:
            decision = admit(self.rules, endpoint, body.readable, signature, now_ms, wire=body.wire)
        else:
            decision = admit_wire(self.rules, endpoint, body.readable, signature, now_ms, unreadable=body.unreadable)
        if isinstance(decision, Refused):
            return await self._refused(request, endpoint, decision, body.readable, now_ms, close=close)
        account = decision.account
        proven = endpoint.signed
        if self.rules.observe and proven:
            proven = self._observed(endpoint, decision, body.readable, signature)
        label = self._labels.of(account, proven=proven or account in endpoint.accounts)
        if not self._buckets.take(label, monotonic()):
            refused = rate_limited(decision)
            return await self._refused(request, endpoint, refused, body.readable, now_ms, close=close)
        outcome = await self._submit(decision.record)
        self._meters.count(outcome, label)
        if outcome is Outcome.ACCEPTED or outcome is Outcome.SPOOLED:
            return responses.success(outcome, close=close)
        self._refusals.note(outcome, endpoint.name, request, account=account)
        return responses.refusal(outcome, close=close)

    def _observed(self, endpoint: Endpoint, admitted: Admitted, body: bytes, signature: str | None) -> bool:
        """Whether an event of observe mode is proven; one that is not is counted with the reason."""
        known = parse_headers(admitted.record.headers)
        if not known.verified:
            reason = known.key_id.partition(":")[2]
            self._watch.note(endpoint.name, endpoint.secrets, body, signature, reason)
        return known.verified

    async def _body(
        self, request: web.BaseRequest, endpoint: Endpoint, *, close: bool
    ) -> Received | web.StreamResponse:
        """The body as it came and as it can be read, or the refusal."""
        headers, limits = request.headers, self._limits
        outcome: Outcome | Protocol
        detail = ""
        try:
            encoding = encoding_of(headers.get(hdrs.CONTENT_ENCODING))
            if not endpoint.secrets and endpoint is not STRAY and not is_json(headers.get(hdrs.CONTENT_TYPE)):
                outcome, detail = Outcome.UNSUPPORTED_TYPE, "Content-Type is not application/json in UTF-8"
            elif encoding is None and not endpoint.secrets:
                outcome, detail = Outcome.UNSUPPORTED_TYPE, _CODINGS
            else:
                wire = await read_body(request, limits.max_body_bytes, limits.body_timeout_s)
                return received(encoding, wire, limits.max_inflated_bytes)
        except BodyTooLarge:
            outcome, detail = Outcome.TOO_LARGE, f"more than {limits.max_body_bytes} bytes on the wire"
        except BodyTooSlow:
            outcome, detail = Protocol.SLOW_BODY, f"not complete within {limits.body_timeout_s:g} s"
        except BodyBroken:
            outcome, detail = Protocol.BAD_REQUEST, "the body broke off"
        # what is left of a refused body is not worth reading
        close = close or not request.content.is_eof()
        if isinstance(outcome, Protocol):
            self._meters.protocol_error(outcome)
        else:
            self._meters.count(outcome, AccountLabels.UNKNOWN)
        self._refusals.note(outcome, endpoint.name, request, detail=detail)
        return responses.refusal(outcome, close=close, detail=detail)

    async def _refused(
        self,
        request: web.BaseRequest,
        endpoint: Endpoint,
        refused: Refused,
        body: bytes,
        now_ms: int,
        *,
        close: bool,
    ) -> web.StreamResponse:
        """Answer a body that is no event; what a proven sender sent is in quarantine before the answer goes out."""
        account, kept = refused.account, ""
        label = self._labels.of(account, proven=refused.verified or account in endpoint.accounts)
        outcome = refused.outcome
        self._refusals.note(outcome, endpoint.name, request, account=account, detail=refused.detail)
        unsigned = self._limits.quarantine_unsigned and endpoint is not STRAY and not endpoint.signed
        if ANSWERS[outcome].kept and (refused.verified or unsigned):
            # what nobody proved counts against the limit; of what is proven nothing is dropped
            if not refused.verified and not self._buckets.take(label, monotonic()):
                outcome = Outcome.RATE_LIMITED
            else:
                record = quarantine_record(
                    self._quarantine_topic,
                    refused,
                    body,
                    endpoint=endpoint.name,
                    content_type=request.headers.get(hdrs.CONTENT_TYPE, ""),
                    content_encoding=request.headers.get(hdrs.CONTENT_ENCODING, ""),
                    now_ms=now_ms,
                )
                stored = await self._submit(record)
                if stored not in (Outcome.ACCEPTED, Outcome.SPOOLED):
                    outcome = stored
                kept = stable_id(endpoint.name, body)
        self._meters.count(outcome, label)
        if outcome is not refused.outcome:
            return responses.refusal(outcome, close=close)
        return responses.refusal(
            outcome,
            close=close,
            verified=refused.verified,
            detail=refused.detail,
            field=refused.field,
            reason=refused.reason,
            quarantined=kept,
        )


def _signature(request: web.BaseRequest) -> str | None:
    """The signature header; one that is repeated is read as one with several signatures (RFC 9110, 5.3)."""
    values = request.headers.getall(SIGNATURE_HEADER, ())
    return ", ".join(values) if values else None
