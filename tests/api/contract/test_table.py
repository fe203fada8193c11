"""The table of routes is what is served, what the document says, and what the server validates by."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract.parameters import Parameter, check_all
from api.contract.table import ROUTES
from api.openapi import openapi, served
from api.query.ctr_question import FILTERS, asked_ctr
from api.query.ctr_sql import parse_since
from sori.errors import QueryError
from sori.rule_names import RULES
from sori.settings.rules import Rule, RulesSettings
from streams.rules.registry import every_rule
from tests.api.alerting import api_running, settings_for


def filled(path: str) -> str:
    """The path with something in its places."""
    return re.sub(r"\{\w+\}", "x", path)


async def ask(http: aiohttp.ClientSession, method: str, path: str, query, headers=None) -> tuple[int, str, str]:
    """Status, content type and text."""
    async with http.request(method, filled(path), params=query, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_every_route_is_in_the_document_and_refuses_what_it_does_not_know(topics):
    """An unknown parameter is 400 on each, with the known ones named; so is one that may come once and comes twice."""
    async with api_running(settings_for(topics)) as api:
        assert served(api.app) == {(route.method, route.path) for route in ROUTES}
        async with api.http.get("/v1/openapi.json") as answer:
            document = await answer.json()
        assert document == json.loads(json.dumps(openapi()))
        described = {(method.upper(), path) for path, one in document["paths"].items() for method in one}
        assert described == served(api.app)
        for route in ROUTES:
            status, kind, text = await ask(api.http, route.method, route.path, {"kampagne": "X"})
            if route.scope == "open":
                assert status != 400  # a load balancer's own parameters are no question
                continue
            assert (status, kind) == (400, "application/problem+json"), (route, text)
            assert "unknown parameter: 'kampagne' is none of" in text
            assert all(one.name in text for one in route.parameters), text
            for one in route.parameters:
                twice = [(one.name, "1h"), (one.name, "1h")] if not one.many else [(one.name, "nosuch")] * 101
                assert (await ask(api.http, route.method, route.path, twice))[0] == 400, (route, one)
                if one.values:
                    status, _, text = await ask(api.http, route.method, route.path, {one.name: "nosuch"})
                    assert status == 400
                    assert all(value in text for value in one.values)


async def test_a_campaign_is_not_left_out_of_the_question_in_silence(topics):
    """What was asked for one campaign was answered for everybody."""
    async with api_running(settings_for(topics)) as api:
        status, _, text = await ask(api.http, "GET", "/v1/ctr", {"campaigne": "cmp_1"})
        assert status == 400
        assert "did you mean" in text or "campaigne" in text
        assert api.pool.asked == []


async def test_the_table_says_who_may_ask(topics):
    """A token for one account, and one that may only read, against every row."""
    async with api_running(settings_for(topics)) as api:
        narrow, reader = await api.token("manage", ("acc_1",)), await api.token("read")
        for route in ROUTES:
            if not route.path.startswith("/v1/") or route.resumes:
                continue
            status, _, text = await ask(api.http, route.method, route.path, {}, narrow)
            assert (status == 403) == (route.scope in ("all", "note")), (route, text)
            status, _, text = await ask(api.http, route.method, route.path, {}, reader)
            assert (status == 403) == (route.manages or route.scope == "note"), (route, text)


def test_every_rule_can_be_asked_for():
    """The rules that run, that settings know and that filters take are the same."""
    assert set(RULES) == set(every_rule())
    assert set(RULES) == {name for name, rule in RulesSettings() if isinstance(rule, Rule)}


@given(st.text(max_size=300), st.sampled_from([one for route in ROUTES for one in route.parameters]))
def test_a_value_is_taken_or_refused_by_name(value: str, parameter: Parameter):
    """Whatever comes: no other error, and the document agrees on what is one of a list."""
    try:
        check_all((parameter,), {parameter.name: [value]})
    except QueryError as error:
        assert parameter.name in str(error) or parameter.moment  # noqa: PT017 - either way is right
        return
    schema = parameter.described()["schema"]
    schema = schema.get("items", schema)
    assert value in schema.get("enum", [value])
    assert len(value) <= schema.get("maxLength", 9)


@pytest.mark.parametrize(("given_", "meant"), [("openedd", "opened"), ("Closed", "closed")])
def test_a_slip_is_answered_with_the_word_that_was_meant(given_: str, meant: str):
    """Beside the list of known ones."""
    with pytest.raises(QueryError, match=f"did you mean {meant}"):
        Parameter("state", values=("opened", "updated", "closed")).check([given_])


@pytest.mark.parametrize(("since", "until"), [("2025-10-14", "2025-10-13"), ("1h", "2h"), ("2025-10-14", "2025-10-14")])
def test_a_time_that_ends_before_it_begins_is_refused(since: str, until: str):
    """Nothing happened then, which reads like an answer; every route that takes both times says so."""
    for route in ROUTES:
        if {"since", "until"} <= {one.name for one in route.parameters}:
            with pytest.raises(QueryError, match="since must lie before until"):
                check_all(route.parameters, {"since": [since], "until": [until]})
            check_all(route.parameters, {"since": [until], "until": [since]} if since != until else {})
    with pytest.raises(QueryError, match="since must lie before until"):
        asked_ctr({"since": [since], "until": [until]})


@pytest.mark.parametrize(
    "text", ["2025-10-14T07:25:12 02:00", "2025-10-14T07:25 02:00", "2025-10-14T05:25:12", "2025-10-14T05:25:12z"]
)
def test_a_plus_sign_that_a_url_made_a_blank_is_one_again(text: str):
    """Nothing else can be meant; and a time may be written as events may have theirs."""
    at = parse_since(text, datetime.now(UTC))
    assert at.replace(second=0) == datetime(2025, 10, 14, 5, 25, tzinfo=UTC)


def refuses(parameter: Parameter, value: str) -> bool:
    """Whether it may not be asked for."""
    try:
        parameter.check([value])
    except QueryError:
        return True
    return False


def test_every_id_that_is_admitted_can_be_asked_for():
    """`ingest.max_id_bytes` goes up to 4,096."""
    of_ids = [one for route in ROUTES for one in route.parameters if one.name in FILTERS]
    assert {one.name for one in of_ids} == set(FILTERS)
    assert [one.name for one in of_ids if refuses(one, "x" * 4096)] == []
