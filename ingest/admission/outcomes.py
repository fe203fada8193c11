"""How a delivery can end, and the one table from there to HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Every end of a delivery, each counted per account."""

    ACCEPTED = "accepted"
    SPOOLED = "spooled"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    INVALID = "invalid"
    CHECKED = "checked"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"


class RequestError(StrEnum):
    """Requests that never became a delivery."""

    BAD_REQUEST = "bad_request"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    SLOW_BODY = "slow_body"
    URL_TOO_LONG = "url_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Answer:
    """What HTTP says. `verified_status` replaces `status` where the sender is proven.

    `kept`: a proven sender's body is in quarantine before this answer goes out. It is an error all the same, not a 2xx:
    a 2xx says "counts as an event", and only an error is seen where it can be mended. SORI's retries then cost three
    requests and no row, since what is held has a stable id; one that comes after the mend is accepted.
    """

    status: int
    title: str
    problem: bool = True
    kept: bool = False
    verified_status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


_RETRY_SOON = (("Retry-After", "1"),)
_RETRY_LATER = (("Retry-After", "5"),)

#: Outcome -> status -> problem type (`urn:sori:problem:<outcome>`).
ANSWERS: Mapping[Outcome | RequestError, Answer] = {
    Outcome.ACCEPTED: Answer(200, "Stored in Kafka", problem=False),
    Outcome.SPOOLED: Answer(200, "Stored on local disk, on its way to Kafka", problem=False),
    Outcome.UNAUTHORIZED: Answer(
        401, "The signature does not prove the sender", headers=(("WWW-Authenticate", "X-SORI-Signature"),)
    ),
    Outcome.FORBIDDEN: Answer(403, "This account may not post here", kept=True),
    Outcome.NOT_FOUND: Answer(404, "No such endpoint", kept=True),
    Outcome.MALFORMED: Answer(400, "The body cannot be read", kept=True, verified_status=422),
    Outcome.INVALID: Answer(422, "The body is no event of the contract", kept=True),
    Outcome.CHECKED: Answer(422, "A check, never stored: as an event it would be taken"),
    Outcome.TOO_LARGE: Answer(413, "The body is too large", kept=True),
    Outcome.UNSUPPORTED_TYPE: Answer(
        415,
        "Not JSON in UTF-8, or an unknown encoding",
        kept=True,
        headers=(("Accept", "application/json"), ("Accept-Encoding", "gzip, deflate, identity")),
    ),
    Outcome.RATE_LIMITED: Answer(429, "This account sends too fast", kept=True, headers=_RETRY_SOON),
    Outcome.OVERLOADED: Answer(503, "Cannot store now", headers=_RETRY_LATER),
    Outcome.TIMEOUT: Answer(503, "Could not store in time", headers=_RETRY_SOON),
    RequestError.BAD_REQUEST: Answer(400, "This is no HTTP request we understand"),
    RequestError.METHOD_NOT_ALLOWED: Answer(405, "Webhooks are POSTed", headers=(("Allow", "POST"),)),
    RequestError.SLOW_BODY: Answer(408, "The body did not arrive in time"),
    RequestError.URL_TOO_LONG: Answer(414, "The URL is too long"),
    RequestError.HEADERS_TOO_LARGE: Answer(431, "The request head is too large"),
    RequestError.INTERNAL: Answer(500, "A bug of ours"),
}


def status_of(outcome: Outcome | RequestError, *, verified: bool = False) -> int:
    """HTTP status of an outcome; `verified` says that the sender is proven."""
    answer = ANSWERS[outcome]
    return (verified and answer.verified_status) or answer.status
