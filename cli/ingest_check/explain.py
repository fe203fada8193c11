"""What an answer means, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cli.ingest_check.variants import Variant
from ingest.admission.outcomes import Outcome

_PROBLEM = "urn:sori:problem:"

#: Status -> what it says of a request that should be taken.
_REFUSED: Mapping[int, str] = {
    401: "refused: none of the endpoint's secrets made this signature, or something on the way rewrites bodies",
    403: "signed rightly, and refused: the endpoint does not take this account; give one of its with --account",
    404: "no endpoint has this path",
    405: "this address takes no POST",
    413: "the body is too large for something on the way",
    415: "refused for its Content-Type or Content-Encoding",
    429: "too many requests; try again",
    503: "the ingress cannot store anything now, or is overloaded; try again",
}


class Verdict(NamedTuple):
    """Whether the answer is as it should be, and what it means."""

    good: bool
    meaning: str


def explain(variant: Variant, status: int, problem: Mapping[str, object]) -> Verdict:
    """Judge one answer; `problem` is its JSON object, or empty. Status 0: none came, and `detail` says why."""
    kind = str(problem.get("type", "")).removeprefix(_PROBLEM)
    detail = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(problem.get("detail", ""))[:300]
    )
    if kind == Outcome.CHECKED:
        doubt = "" if variant.taken else ", though nothing proves it"
        return Verdict(good=variant.taken, meaning=f"signature taken{doubt}, nothing stored ({detail})")
    if not variant.taken and status in (401, 403):
        return Verdict(good=True, meaning="refused, as it should be")
    if kind == Outcome.INVALID:
        meaning = f"judged as an event and refused, as older releases do, which hold it: {detail}"
        return Verdict(good=variant.taken, meaning=meaning)
    return Verdict(good=False, meaning=_meaning(status, detail))


def _meaning(status: int, detail: str) -> str:
    if not status:
        return f"no answer: {detail}"
    if 200 <= status < 300:
        return "answered as if stored: no ingress of ours does that to a check, so something else answers here"
    if 300 <= status < 400:
        return "redirected: a webhook sender need not follow; give SORI the final URL"
    return _REFUSED.get(status, f"unexpected {detail}".strip())
