"""Who may do what: every route by every kind of token, and what must never leak."""

from __future__ import annotations

import re

import aiohttp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.alerts.pages import alerts_sql
from api.auth.access import is_loopback
from api.auth.grants import authenticate
from api.openapi import openapi
from sori.alerting import tokens
from sori.alerting.filter import AlertFilter
from sori.alerting.targets import shortened
from sori.alerting.tokens import encode, new_token, split
from sori.places import head_of, paths_of
from testkit.alerts import SECRET
from tests.api.alerting import api_running, settings_for

#: (method, path, body): kind of token -> status. {own} is a subscription of acc_1, {other} one of acc_2.
NONE, WRONG, READ, MANAGE, READ_ALL, ALL = "none", "wrong", "read acc_1", "manage acc_1", "read all", "manage all"
KINDS = (NONE, WRONG, READ, MANAGE, READ_ALL, ALL)
CREATE = {"url": "https://example.com/hook", "secret": SECRET}
MATRIX = [
    (("GET", "/v1/alerts", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/alerts?account=acc_2", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/alerts/{own}", None), (401, 401, 404, 404, 404, 404)),
    (("GET", "/v1/incidents", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/incidents/{own}", None), (401, 401, 404, 404, 404, 404)),
    (("GET", "/v1/verdicts", None), (401, 401, 200, 200, 200, 200)),
    (("POST", "/v1/verdicts", {"target": "nothing", "verdict": "confirmed"}), (401, 401, 403, 404, 403, 404)),
    (("DELETE", "/v1/verdicts/{own}", None), (401, 401, 403, 404, 403, 404)),
    (("GET", "/v1/subscriptions", None), (401, 401, 200, 200, 200, 200)),
    (("POST", "/v1/subscriptions", CREATE), (401, 401, 403, 201, 403, 201)),
    (
        ("POST", "/v1/subscriptions", {**CREATE, "filter": {"accounts": ["acc_2"]}}),
        (401, 401, 403, 403, 403, 201),
    ),
    (("GET", "/v1/subscriptions/{own}", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/subscriptions/{other}", None), (401, 401, 404, 404, 200, 200)),
    (("GET", "/v1/subscriptions/{every}", None), (401, 401, 404, 404, 200, 200)),
    (("GET", "/v1/subscriptions/nothing", None), (401, 401, 404, 404, 404, 404)),
    (("PATCH", "/v1/subscriptions/{own}", {"name": "new"}), (401, 401, 403, 200, 403, 200)),
    (("PATCH", "/v1/subscriptions/{own}", {"filter": {"accounts": ["acc_2"]}}), (401, 401, 403, 403, 403, 200)),
    (("PATCH", "/v1/subscriptions/{other}", {"paused": True}), (401, 401, 403, 404, 403, 200)),
    (("POST", "/v1/subscriptions/{other}/rotate", {}), (401, 401, 403, 404, 403, 200)),
    (("POST", "/v1/subscriptions/{own}/rotate", {}), (401, 401, 403, 200, 403, 200)),
    (("POST", "/v1/subscriptions/{own}/test", None), (401, 401, 403, 202, 403, 202)),
    (("POST", "/v1/subscriptions/{other}/test", None), (401, 401, 403, 404, 403, 202)),
    (("POST", "/v1/subscriptions/{own}/resume", None), (401, 401, 403, 202, 403, 202)),
    (("POST", "/v1/subscriptions/{own}/redeliver", {"since": "2026-01-01T00:00:00Z"}), (401, 401, 403, 202, 403, 202)),
    (("GET", "/v1/subscriptions/{own}/attempts", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/subscriptions/{other}/attempts", None), (401, 401, 404, 404, 200, 200)),
    (("POST", "/v1/subscriptions/{other}/resume", None), (401, 401, 403, 404, 403, 202)),
    (
        ("POST", "/v1/subscriptions/{other}/redeliver", {"since": "2026-01-01T00:00:00Z"}),
        (401, 401, 403, 404, 403, 202),
    ),
    # a foreign position is refused only for what it is: opening a stream is tested in test_stream.py
    (("GET", "/v1/alerts/stream?severity=nonsense", None), (401, 401, 400, 400, 400, 400)),
    (("POST", "/v1/query", "SELECT 1"), (401, 401, 403, 403, 200, 200)),
    (("GET", "/v1/ctr", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/live?range=nonsense", None), (401, 401, 400, 400, 400, 400)),
    (("GET", "/v1/health", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/events", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/funnel", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/quarantine", None), (401, 401, 200, 200, 200, 200)),
    (("GET", "/v1/audit", None), (401, 401, 200, 200, 200, 200)),
    (("POST", "/v1/quarantine/replay", {}), (401, 401, 403, 400, 403, 400)),
    (("POST", "/v1/maintenance/{own}", {}), (403,) * 6),
    (("GET", "/v1/unheard-of", None), (401, 401, 403, 403, 404, 404)),
    (("DELETE", "/v1/subscriptions/{other}", None), (401, 401, 403, 404, 403, 204)),
    (("DELETE", "/v1/subscriptions/{own}", None), (401, 401, 403, 204, 403, 404)),
    (("GET", "/v1/openapi.json", None), (200,) * 6),
    (("GET", "/healthz", None), (200,) * 6),
]


async def test_every_route_by_every_kind_of_token(topics):
    """The gate is closed unless opened; a subscription of somebody else is one that is not there."""
    async with api_running(settings_for(topics, anonymous="never", rate_per_s=1e6, rate_burst=10**6)) as api:
        headers = {
            NONE: {},
            WRONG: {"Authorization": f"Bearer {new_token('manage', None)[1]}"},
            READ: await api.token("read", ("acc_1",)),
            MANAGE: await api.token("manage", ("acc_1",)),
            READ_ALL: await api.token("read"),
            ALL: await api.token("manage"),
        }
        makers = {"own": headers[MANAGE], "other": await api.token("manage", ("acc_2",)), "every": headers[ALL]}
        ids = {}
        for name, header in makers.items():
            async with api.http.post("/v1/subscriptions", json=CREATE, headers=header) as answer:
                ids[name] = (await answer.json())["id"]
        seen = {}
        for (method, path, body), expected in MATRIX:
            for kind, status in zip(KINDS, expected, strict=True):
                options = {"data": body} if isinstance(body, str) else {"json": body}
                async with api.http.request(method, path.format(**ids), headers=headers[kind], **options) as answer:
                    text = await answer.text()
                    known = 401 if kind == WRONG and answer.status == 429 else answer.status  # guesses are limited
                    seen[method, path, kind] = (known, status)
                    assert answer.status < 400 or answer.content_type == "application/problem+json"
                    assert "whsec" not in text or answer.status in {200, 201}
        assert {key: got for key, (got, wanted) in seen.items() if got != wanted} == {}
        own_sql = [sql for sql in api.pool.asked if "FROM alerts " in sql]
        assert [("'acc_1'" in sql) for sql in own_sql][:2] == [True, True]
        assert "acc_2" not in own_sql[0] + own_sql[1]


async def test_no_route_is_missing_in_the_matrix(topics):
    """Every route of the API under /v1: a new one must say what each kind of token gets."""
    async with api_running(settings_for(topics)) as api:
        served = {
            (route.method, route.resource.canonical)
            for route in api.app.router.routes()
            if route.resource is not None and route.method != "HEAD" and route.resource.canonical.startswith("/v1/")
        }
    served = {(method, re.sub(r"\{\w+\}", "*", path)) for method, path in served}
    tested = {(method, re.sub(r"\{\w+\}", "*", path.partition("?")[0])) for (method, path, _), _ in MATRIX}
    assert served - tested == set()


def test_the_document_says_which_routes_a_token_to_read_does_not_open():
    """As the matrix does: refused for every token to read, and opened by one to manage."""
    found = {}
    for (method, path, _), (_, _, *reading_or_not) in MATRIX:
        read, manage, read_all, manage_all = reading_or_not
        if manage_all not in {403, 404} or manage not in {403, 404}:
            found[method, re.sub(r"\{\w+\}", "*", path.partition("?")[0])] = read == read_all == 403
    said = {
        (method.upper(), re.sub(r"\{\w+\}", "*", path)): operation["security"][0]["token"] == ["manage"]
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
        if "token" in (operation["security"] or [{}])[0]
    }
    assert {key: said[key] for key in found.keys() & said.keys()} == {key: found[key] for key in found.keys() & said}
    assert sum(said.values()) >= 8


async def test_a_secret_is_shown_once_and_tokens_are_nowhere_in_clear(topics):
    """At creation and rotation; Kafka holds a digest of the token only."""
    async with api_running(settings_for(topics)) as api:
        header = await api.token("manage", ("acc_1",))
        async with api.http.post("/v1/subscriptions", json=CREATE, headers=header) as answer:
            made = await answer.json()
        assert made["secret"] == SECRET
        async with api.http.get("/v1/subscriptions", headers=header) as answer:
            assert "whsec" not in await answer.text()
        async with api.http.post(f"/v1/subscriptions/{made['id']}/rotate", json={}, headers=header) as answer:
            rotated = await answer.json()
        assert rotated["secret"] not in {None, SECRET}
        secret = header["Authorization"].split("_")[2]
        assert all(secret.encode() not in value for value in api.side.tokens.values.values())


async def test_only_who_may_manage_sees_a_whole_subscriber_url(topics):
    """A Slack URL is a credential: a reading token sees whose it is, in the list and one by one."""
    url = "https://hooks.slack.com:8443/services/T0/B0/x7Qkey?sig=x7Qkey"
    async with api_running(settings_for(topics)) as api:
        manage, read = await api.token("manage", ("acc_1",)), await api.token("read", ("acc_1",))
        async with api.http.post("/v1/subscriptions", json={**CREATE, "url": url}, headers=manage) as answer:
            made = await answer.json()
            assert made["url"] == url
        one = f"/v1/subscriptions/{made['id']}"
        for path in ("/v1/subscriptions", one, one + "/attempts"):
            async with api.http.get(path, headers=read) as answer:
                assert answer.status == 200
                assert "x7Qkey" not in await answer.text()
            async with api.http.get(path, headers=manage) as answer:
                assert path.endswith("attempts") or url in await answer.text()
        async with api.http.get(one, headers=read) as answer:
            assert (await answer.json())["url"] == "https://hooks.slack.com:8443/…"


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_shortened_url_tells_no_more_than_the_host(path, query):
    """Whatever stands behind it."""
    assert shortened(f"https://h.example/{path}?{query}") in {"https://h.example/…", "…"}
    assert shortened(f"https://user:secret@h.example/{path}") in {"https://h.example/…", "…"}


async def test_anonymous_requests_are_for_this_machine_only(topics):
    """By the address listened on, by the name asked for, and not for a foreign web page."""
    for host, expected in (("127.0.0.1", 200), ("0.0.0.0", 401)):
        settings = settings_for(topics).model_copy(
            update={"api": settings_for(topics).api.model_copy(update={"host": host})}
        )
        async with api_running(settings) as api, api.http.get("/v1/subscriptions") as answer:
            assert answer.status == expected
            assert (answer.headers.get("WWW-Authenticate") is None) == (expected == 200)
    async with api_running(settings_for(topics)) as api:
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            async with api.http.get("/v1/subscriptions", headers=headers) as answer:
                assert answer.status == 403
        async with api.http.post("/v1/subscriptions", data='{"url": "https://example.com/"}') as answer:
            assert answer.status == 415


BODIES = [
    ("", 422),
    ("{", 400),
    ("[" * 50_000, 422),
    ("[]", 422),
    ("{}", 422),
    ('{"url": 1}', 422),
    ('{"url": "https://example.com/", "nope": 1}', 422),
    ('{"url": "https://10.0.0.1/"}', 422),
    ('{"url": "https://example.com/\\r\\nX: y"}', 422),
    ('{"url": "https://example.com/", "name": "a\\u0000b"}', 422),
    ('{"url": "https://example.com/", "format": "xml"}', 422),
    ('{"url": "https://example.com/", "secret": "short"}', 422),
    ('{"url": "https://example.com/", "filter": {"states": ["closed", "gone"]}}', 422),
    ('{"url": "https://example.com/", "filter": {"accounts": [""]}}', 422),
    ('{"url": "https://example.com/' + "a" * 70_000 + '"}', 413),
]


async def test_malformed_and_oversized_bodies_are_problems(topics):
    """Never a 500, and nothing is stored."""
    async with api_running(settings_for(topics)) as api:
        for body, status in BODIES:
            headers = {"Content-Type": "application/json"}
            async with api.http.post("/v1/subscriptions", data=body.encode(), headers=headers) as answer:
                assert answer.status == status, body[:80]
                assert answer.content_type == "application/problem+json"
        assert not api.side.subscriptions.values


async def test_any_bytes_for_a_token_are_a_wrong_token(topics):
    """Also what is no text, at the route with a secret of its own too; and no depth of JSON is a 500."""
    deep = b'{"query": ' + b"[" * 200_000
    async with api_running(settings_for(topics), local_token="local") as api:
        for header in ("Bearer \udcff\udcfe", "\udcff", "Bearer \u00fc"):
            for path, status in (("/v1/query", 401), ("/v1/maintenance/x", 403)):
                async with api.http.post(path, data="{}", headers={"Authorization": header}) as answer:
                    assert answer.status == status, (path, header)
        async with api.http.post("/v1/query", data=deep, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 400
        note = {"Authorization": "Bearer the note's token", "Content-Type": "application/json; charset=odd"}
        for body, status in ((deep, 400), (b"[]", 400), (b'"forget"', 400), (b"{}", 200)):
            async with api.http.post("/v1/maintenance/x", data=body, headers=note) as answer:
                assert answer.status == status, body[:20]


async def test_too_many_requests_are_told_when_to_come_back(topics):
    """Per token; wrong tokens are limited per address, before they could be guessed."""
    async with api_running(settings_for(topics, rate_per_s=0.1, rate_burst=2)) as api:
        header = await api.token("read", ("acc_1",))
        statuses = []
        for _ in range(3):
            async with api.http.get("/v1/subscriptions", headers=header) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 429]
        assert int(answer.headers["Retry-After"]) >= 1
        wrong = {"Authorization": "Bearer sori_x"}
        statuses = [await _status(api.http, wrong) for _ in range(25)]
        assert statuses[0] == 401
        assert statuses[-1] == 429


async def _status(http: aiohttp.ClientSession, headers):
    async with http.get("/v1/subscriptions", headers=headers) as answer:
        return answer.status


def test_a_token_is_proven_by_its_secret_until_it_expires():
    """Another token's secret, a changed one, an unknown id: nothing."""
    token, text = new_token("read", ("acc_1",), expires_ms=1000)
    other, other_text = new_token("manage", None)
    table = {one.id: encode(one) for one in (token, other)}
    grant = authenticate(text, table, 999)
    assert grant is not None
    assert (grant.right, grant.accounts) == ("read", frozenset({"acc_1"}))
    assert authenticate(text, table, 1000) is None
    mixed = f"sori_{token.id}_{other_text.rsplit('_', 1)[1]}"
    for wrong in (mixed, text[:-1], text + "0", text.upper(), "", "sori__", text.replace(token.id, "0" * 16)):
        assert authenticate(wrong, table, 0) is None
    assert text.rsplit("_", 1)[1] not in encode(token).decode()


@given(st.text(max_size=120))
def test_any_text_is_a_token_or_none(text):
    """Nothing raises."""
    assert split(text) is None or text.startswith("sori_")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False)],
)
def test_which_addresses_are_this_machine(host, local):
    """And nobody else's."""
    assert is_loopback(host) is local


def bare(sql):
    """What is outside of literals. Raises AssertionError when the last one does not end."""
    found, inside, escaped = "", False, False
    for char in sql:
        if escaped:
            escaped = False
        elif inside and char == "\\":
            escaped = True
        elif char == "'":
            inside = not inside
        elif not inside:
            found += char
    assert not inside
    return found


@example("", "a/b/c'")
@example("", "a/b/%2F'")
@given(st.text(), st.text() | st.text("a/%2F'\\"))
def test_no_filter_value_leaves_its_quotes(account, value):
    """Whatever it is, it stays one literal; a place is asked for as a harmless one of its kind."""
    like = "a" if head_of(value) else ("a/b/c", "a/b/%2F")[len(paths_of(value)) - 1]
    sql, harmless = (
        alerts_sql(
            AlertFilter(accounts=(account,), campaigns=(campaign,), places=(place,)),
            after=("2026-01-01 00:00:00.000", account),
        )
        for account, campaign, place in ((account, value, value), ("", "", like))
    )
    assert bare(sql) == bare(harmless)


def test_tokens_are_compared_in_constant_time(monkeypatch):
    """A wrong secret, and an unknown id as well, cost one comparison by hmac.compare_digest of whole digests."""
    compared = []
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))))
    token, text = new_token("read", None)
    table = {token.id: encode(token)}
    authenticate(text, table, 0)
    authenticate(text[:-1] + "x", table, 0)
    authenticate(text[:-1] + ("0" if text[-1] != "0" else "1"), table, 0)
    authenticate(text.replace(token.id, "0" * 16), table, 0)
    assert compared == [(64, 64)] * 3
