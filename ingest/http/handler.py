"""One webhook request, from its head to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter, time

import structlog
from aiohttp import HttpVersion11, hdrs, web

from ingest.admission.admit import AdmissionPolicy, Admitted, Refused, admit, rate_limited
from ingest.admission.endpoint_table import Endpoint
from ingest.admission.limits import AccountLabels
from ingest.admission.outcomes import ANSWERS, Outcome, RequestError
from ingest.admission.quarantine_record import quarantine_record
from ingest.admission.record import Record
from ingest.http import responses
from ingest.http.body import BodyBroken, BodyEvicted, BodyReader, BodyTooLarge, BodyTooSlow
from ingest.http.body_budget import BodyBudget
from ingest.http.content_coding import encoding_of, is_json
from ingest.http.judge import CODINGS, SMALL, Judged, Wire, judge, small_enough
from ingest.http.large_bodies import LargeBodies, TooBusy
from ingest.http.probes import Probes
from ingest.http.refusal_log import RefusalLog
from ingest.http.signature_watch import SignatureWatch
from ingest.process.metrics import IngestMetrics
from runtime.rate_limit import TokenBuckets
from sori.errors import SignatureError
from sori.quarantine import stable_id
from sori.records import parse_headers
from sori.signature import HEADER as SIGNATURE_HEADER
from sori.signature import claimed_digests

Submit = Callable[[Record], asyncio.Future[Outcome]]

#: The endpoint of deliveries to a path that none has; its name in records and logs is empty.
STRAY = Endpoint("", "")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HandlerLimits:
    """Bounds of one request, and of all that are being stored; sizes in bytes."""

    max_body_bytes: int
    max_inflated_bytes: int
    max_in_flight: int
    quarantine_unsigned: bool


class Webhooks:
    """Answers every request of the port. 2xx only after `submit` says that the event is stored."""

    def __init__(
        self,
        rules: AdmissionPolicy,
        submit: Submit,
        limits: HandlerLimits,
        *,
        bodies: BodyReader,
        budget: BodyBudget,
        large: LargeBodies,
        probes: Probes,
        meters: IngestMetrics,
        buckets: TokenBuckets,
        labels: AccountLabels,
        quarantine_topic: str,
        refusals: RefusalLog,
        watch: SignatureWatch,
    ) -> None:
        self.rules = rules
        self._submit = submit
        self._limits = limits
        self._small = min(SMALL, limits.max_body_bytes)
        self._bodies = bodies
        self._budget = budget
        self._large = large
        self._probes = probes
        self._meters = meters
        self._buckets = buckets
        self._labels = labels
        self._quarantine_topic = quarantine_topic
        self._refusals = refusals
        self._watch = watch
        self.in_flight = 0
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
            return self._stranger(RequestError.METHOD_NOT_ALLOWED, request, close=close)
        if self.in_flight >= self._limits.max_in_flight:
            self._meters.count(Outcome.OVERLOADED, AccountLabels.UNKNOWN)
            return responses.refusal(Outcome.OVERLOADED, close=close or not request.content.is_eof())
        begun = perf_counter()
        try:
            return await self._deliver(request, endpoint or STRAY, close=close)
        finally:
            self._meters.request_seconds(perf_counter() - begun)

    async def _store(self, record: Record) -> Outcome:
        """Where the record is now, or OVERLOADED at once: only what has passed every check takes up room here."""
        size = record.size
        if self.in_flight >= self._limits.max_in_flight or not self._budget.hold(size):
            return Outcome.OVERLOADED
        self.in_flight += 1
        try:
            return await self._submit(record)
        finally:
            self.in_flight -= 1
            self._budget.release(size)

    def _stranger(self, kind: Outcome | RequestError, request: web.BaseRequest, *, close: bool) -> web.StreamResponse:
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

    async def _deliver(self, request: web.BaseRequest, endpoint: Endpoint, *, close: bool) -> web.StreamResponse:
        judged = self._at_once(request, endpoint) or await self._body(request, endpoint, close=close)
        if not isinstance(judged, Judged):
            return judged
        body, decision, now_ms = judged
        if isinstance(decision, Refused):
            if endpoint is STRAY and not decision.verified:
                return self._stranger(Outcome.NOT_FOUND, request, close=close)
            return await self._refused(request, endpoint, decision, body, now_ms, close=close)
        account = decision.account
        proven = endpoint.signed
        if self.rules.observe and proven:
            proven = self._observed(endpoint, decision, body, _signature(request))
        label = self._labels.of(account, proven=proven or account in endpoint.accounts)
        if not self._buckets.take(label, monotonic()):
            refused = rate_limited(decision)
            return await self._refused(request, endpoint, refused, body, now_ms, close=close)
        outcome = await self._store(decision.record)
        self._meters.count(outcome, label)
        if outcome is Outcome.ACCEPTED or outcome is Outcome.SPOOLED:
            if proven:
                request.protocol.proven = True  # type: ignore[attr-defined]
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

    def _at_once(self, request: web.BaseRequest, endpoint: Endpoint) -> Judged | None:
        """What we make of a small body that came whole and as it is: nearly every one, so no step too many."""
        content, size, headers = request.content, request.content_length, request.headers
        if size is None or size > self._small or not content.is_eof() or hdrs.CONTENT_ENCODING in headers:
            return None
        if endpoint is STRAY or (not endpoint.secrets and not is_json(headers.get(hdrs.CONTENT_TYPE))):
            return None
        now_ms, body = int(time() * 1000), content.read_nowait(-1)
        return Judged(body, admit(self.rules, endpoint, body, _signature(request), now_ms), now_ms)

    async def _body(self, request: web.BaseRequest, endpoint: Endpoint, *, close: bool) -> Judged | web.StreamResponse:
        """The body and what we make of it, or the refusal."""
        headers = request.headers
        outcome: Outcome | RequestError
        detail = ""
        try:
            encoding, signature = encoding_of(headers.get(hdrs.CONTENT_ENCODING)), _signature(request)
            if endpoint.secrets and not self.rules.observe and (encoding != "" or not request.content.is_eof()):
                claimed_digests(signature)  # what can prove nothing is not worth waiting for, nor inflating
            if not endpoint.secrets and endpoint is not STRAY and not is_json(headers.get(hdrs.CONTENT_TYPE)):
                outcome, detail = Outcome.UNSUPPORTED_TYPE, "Content-Type is not application/json in UTF-8"
            elif encoding is None and not endpoint.secrets:
                outcome, detail = Outcome.UNSUPPORTED_TYPE, CODINGS
            else:
                wire = Wire(await self._bodies.read(request), encoding, signature)
                return await self._judge(request, endpoint, wire)
        except SignatureError as error:
            outcome, detail = Outcome.UNAUTHORIZED, str(error)
        except BodyTooLarge as error:
            outcome, detail = Outcome.TOO_LARGE, str(error)
        except BodyTooSlow as error:
            outcome, detail = RequestError.SLOW_BODY, str(error)
        except BodyBroken as error:
            outcome, detail = RequestError.BAD_REQUEST, str(error)
        except (BodyEvicted, TooBusy) as error:
            outcome, detail = Outcome.OVERLOADED, str(error)
        # what is left of a refused body is not worth reading
        close = close or not request.content.is_eof()
        if isinstance(outcome, RequestError):
            self._meters.protocol_error(outcome)
        else:
            self._meters.count(outcome, AccountLabels.UNKNOWN)
        self._refusals.note(outcome, endpoint.name, request, detail=detail)
        return responses.refusal(outcome, close=close, detail=detail)

    async def _judge(self, request: web.BaseRequest, endpoint: Endpoint, wire: Wire) -> Judged:
        """Small bodies at once, large ones off the loop. Raises TooBusy."""
        rules, now_ms, limits = self.rules, int(time() * 1000), self._limits
        # where nothing proves the sender, a few bytes are not made into many
        most = limits.max_inflated_bytes if endpoint.secrets else min(limits.max_inflated_bytes, limits.max_body_bytes)
        stray = request.path if endpoint is STRAY else None
        work = partial(judge, rules, endpoint, wire, now_ms, max_inflated=most, stray=stray)
        if small_enough(wire):
            return work()
        if not self._budget.hold(len(wire.body)):
            raise TooBusy("no memory for a large body now")
        try:
            client, proven = self._bodies.client(request), bool(getattr(request.protocol, "proven", False))
            return await self._large.run(client, work, proven=proven)
        finally:
            self._budget.release(len(wire.body))

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
        outcome = refused.outcome
        # a secret is no proof of an account that it may not speak for
        proven = refused.verified and outcome is not Outcome.FORBIDDEN
        label = self._labels.of(account, proven=proven or account in endpoint.accounts)
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
                stored = await self._store(record)
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
