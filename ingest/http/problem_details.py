"""Answers as bytes: the constant 200s, and RFC 9457 problem details for the rest."""

from __future__ import annotations

from http import HTTPStatus

import orjson

from ingest.admission.outcomes import ANSWERS, Outcome, RequestError, status_of

_CRLF = "\r\n"


def success(outcome: Outcome, *, close: bool = False) -> bytes:
    """The whole HTTP response of a stored delivery."""
    return _response(200, "application/json", orjson.dumps({"status": outcome.value}), (), close=close)


def problem(
    outcome: Outcome | RequestError,
    *,
    detail: str = "",
    field: str = "",
    reason: str = "",
    quarantined: str = "",
    verified: bool = False,
    close: bool = False,
) -> bytes:
    """The whole HTTP response of a refusal, body as RFC 9457 says.

    `field`, `reason` and `quarantined` (the id under which `sori quarantine` has it) are our extensions.
    """
    answer, status = ANSWERS[outcome], status_of(outcome, verified=verified)
    members = {"type": f"urn:sori:problem:{outcome.value}", "title": answer.title, "status": status}
    extra = {"detail": _text(detail), "field": _text(field), "reason": _text(reason), "quarantined": quarantined}
    body = orjson.dumps({**members, **{name: text for name, text in extra.items() if text}})
    return _response(status, "application/problem+json", body, answer.headers, close=close)


def plain(status: int, content_type: str, body: bytes, *, close: bool = False) -> bytes:
    """The whole HTTP response of a probe."""
    return _response(status, content_type, body, (), close=close)


def _text(value: str) -> str:
    # lone surrogates in a hostile body must not break our own JSON
    return value.encode("utf-8", "replace").decode("utf-8")


def _response(
    status: int, content_type: str, body: bytes, headers: tuple[tuple[str, str], ...], *, close: bool
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
        *(["Connection: close"] if close else []),
    ]
    return (_CRLF.join(lines) + _CRLF + _CRLF).encode("ascii") + body
