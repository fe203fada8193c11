"""From a body on the wire to what we make of it: one function, so that it can run off the loop. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ingest.admission.admit import AdmissionPolicy, Admitted, Refused, admit, admit_stray, admit_wire
from ingest.admission.endpoint_table import Endpoint
from ingest.admission.outcomes import Outcome
from ingest.http.content_coding import NotReadable, TooLarge, inflate

CODINGS = "Content-Encoding is none of gzip, deflate, identity"
#: Up to here a body is judged on the loop: hashing, inflating and decoding it costs a fraction of a millisecond.
SMALL = 65_536


class Wire(NamedTuple):
    """A body as it came; `encoding` is empty for none, None for one that we do not know."""

    body: bytes
    encoding: str | None
    signature: str | None


class Judged(NamedTuple):
    """A body as it can be read, or as on the wire where it cannot, and the decision on it."""

    body: bytes
    decision: Admitted | Refused
    now_ms: int


def small_enough(wire: Wire) -> bool:
    """Whether it may be judged on the loop: finds out by inflating that much of it."""
    if len(wire.body) > SMALL:
        return False
    if wire.encoding:
        try:
            inflate(wire.encoding, wire.body, SMALL)
        except TooLarge:
            return False
        except NotReadable:
            return True
    return True


def judge(
    rules: AdmissionPolicy, endpoint: Endpoint, wire: Wire, now_ms: int, *, max_inflated: int, stray: str | None = None
) -> Judged:
    """Inflate, verify, decode. Never raises. `stray`: the path, where no endpoint has it."""
    body, unreadable = _readable(wire, max_inflated)
    compressed = wire.body if body is not wire.body else None
    if stray is not None:
        return Judged(body, admit_stray(rules, stray, body, wire.signature, wire=compressed), now_ms)
    if unreadable is not None:
        decision = admit_wire(rules, endpoint, body, wire.signature, now_ms, unreadable=unreadable)
    else:
        decision = admit(rules, endpoint, body, wire.signature, now_ms, wire=compressed)
    return Judged(body, decision, now_ms)


def _readable(wire: Wire, limit: int) -> tuple[bytes, Refused | None]:
    """The body with Content-Encoding undone, or as it came and why it cannot be."""
    if not wire.encoding:
        return wire.body, None if wire.encoding == "" else Refused(Outcome.UNSUPPORTED_TYPE, CODINGS)
    try:
        return inflate(wire.encoding, wire.body, limit), None
    except TooLarge as error:
        return wire.body, Refused(Outcome.TOO_LARGE, str(error))
    except NotReadable as error:
        return wire.body, Refused(Outcome.MALFORMED, str(error))
