"""The table from outcome to HTTP."""

from __future__ import annotations

import json

import pytest

from ingest.admission.outcomes import ANSWERS, Outcome, RequestError, status_of
from ingest.http.problem_details import problem, success


def split(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, content = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), content


def test_every_outcome_has_exactly_one_answer() -> None:
    assert set(ANSWERS) == {*Outcome, *RequestError}


def test_the_only_5xx_of_a_delivery_is_503() -> None:
    assert {status_of(outcome) for outcome in Outcome if status_of(outcome) >= 500} == {503}


def test_2xx_means_stored_and_nothing_else() -> None:
    stored = {outcome for outcome in Outcome if status_of(outcome) < 300}
    assert stored == {Outcome.ACCEPTED, Outcome.SPOOLED}


@pytest.mark.parametrize("outcome", [o for o in (*Outcome, *RequestError) if ANSWERS[o].problem])
def test_a_refusal_is_problem_json_with_a_type_of_its_own(outcome: Outcome | RequestError) -> None:
    status, headers, content = split(problem(outcome, detail="why", field="campaign.id", reason="missing"))
    body = json.loads(content)
    assert headers["Content-Type"] == "application/problem+json"
    assert int(headers["Content-Length"]) == len(content)
    assert body["type"] == f"urn:sori:problem:{outcome.value}"
    assert body["status"] == int(status.split(" ")[1]) == status_of(outcome)
    assert (body["detail"], body["field"], body["reason"]) == ("why", "campaign.id", "missing")


@pytest.mark.parametrize("outcome", [Outcome.OVERLOADED, Outcome.TIMEOUT, Outcome.RATE_LIMITED])
def test_what_may_work_later_says_when_to_come_back(outcome: Outcome) -> None:
    assert int(split(problem(outcome))[1]["Retry-After"]) >= 1


def test_a_proven_sender_of_bad_json_gets_422_for_it_is_kept() -> None:
    assert status_of(Outcome.MALFORMED) == 400
    assert status_of(Outcome.MALFORMED, verified=True) == 422


def test_lone_surrogates_in_a_detail_do_not_break_the_answer() -> None:
    assert json.loads(split(problem(Outcome.INVALID, detail="\ud800"))[2])["detail"] == "?"


def test_success_is_a_small_json_body() -> None:
    status, headers, content = split(success(Outcome.SPOOLED, close=True))
    assert status == "HTTP/1.1 200 OK"
    assert headers["Connection"] == "close"
    assert json.loads(content) == {"status": "spooled"}
