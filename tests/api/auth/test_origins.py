"""Who may use the API from where: pages of other origins, and whoever comes through a proxy."""

from __future__ import annotations

import pytest

from tests.api.alerting import api_running, settings_for

PAGE = "https://ops.example"
ASKING = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization, last-event-id",
}


def settings_with(topics, origins):
    """An API that lets these origins in."""
    before = settings_for(topics)
    return before.model_copy(update={"api": before.api.model_copy(update={"cors_origins": origins})})


@pytest.mark.parametrize(("origins", "reader"), [("*", "*"), (f"https://a.example, {PAGE}/", PAGE)])
async def test_a_page_of_an_allowed_origin_reads_with_a_token(topics, origins, reader):
    """Preflight, answers, the event stream and errors alike say who may read them."""
    async with api_running(settings_with(topics, origins)) as api:
        token = await api.token("read", ("acc_1",))
        for path in ("/v1/alerts", "/v1/alerts/stream", "/v1/subscriptions/x"):
            async with api.http.options(path, headers=ASKING) as answer:
                assert answer.status == 204
                assert answer.headers["Access-Control-Allow-Origin"] == reader
                for method in ("GET", "PATCH", "DELETE"):
                    assert method in answer.headers["Access-Control-Allow-Methods"]
                for header in ("authorization", "last-event-id", "content-type"):
                    assert header in answer.headers["Access-Control-Allow-Headers"].lower()
                assert "Origin" in answer.headers["Vary"]
        expected = {"/v1/alerts": 200, "/v1/alerts/stream": 200, "/v1/subscriptions/x": 404, "/v1/live?range=x": 400}
        for path, status in expected.items():
            async with api.http.get(path, headers={**token, "Origin": PAGE}) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == reader
                assert answer.headers["Vary"] == "Origin"
        async with api.http.get("/v1/alerts", headers={"Origin": PAGE}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (403, reader)
            assert "token" in (await answer.json())["detail"]
        async with api.http.get("/v1/alerts", headers={"Origin": PAGE, "Authorization": "Bearer sori_x"}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, reader)


@pytest.mark.parametrize("origins", ["", "https://a.example", "https://ops.example.evil"])
async def test_a_page_of_another_origin_is_told_what_to_set(topics, origins):
    """Neither preflight nor request passes, and no answer may be read."""
    async with api_running(settings_with(topics, origins)) as api:
        token = await api.token("manage")
        async with api.http.options("/v1/alerts", headers=ASKING) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
        async with api.http.get("/v1/alerts", headers={**token, "Origin": PAGE}) as answer:
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert answer.headers["Vary"] == "Origin"
            detail = (await answer.json())["detail"]
            assert "SORI_API__CORS_ORIGINS" in detail
            assert PAGE in detail
        own = str(api.http._base_url).rstrip("/")
        async with api.http.get("/v1/alerts", headers={"Origin": own}) as answer:
            assert answer.status == 200


PROXIED = [
    ("Forwarded", "for=203.0.113.7"),
    ("X-Forwarded-For", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("X-Forwarded-Host", "api.example"),
    ("X-Real-IP", "203.0.113.7"),
    ("Via", "1.1 proxy"),
    ("CF-Connecting-IP", "203.0.113.7"),
]


@pytest.mark.parametrize(("name", "value"), PROXIED)
async def test_whoever_comes_through_a_proxy_needs_a_token(topics, name, value):
    """To the API every client of a proxy on this machine is on loopback."""
    async with api_running(settings_for(topics)) as api:
        async with api.http.get("/v1/alerts", headers={name: value}) as answer:
            assert answer.status == 403
            assert name.lower() in (await answer.json())["detail"].lower()
        token = await api.token("read", ("acc_1",))
        async with api.http.get("/v1/alerts", headers={**token, name: value}) as answer:
            assert answer.status == 200
    async with (
        api_running(settings_for(topics, anonymous="always")) as api,
        api.http.get("/v1/alerts", headers={name: value}) as answer,
    ):
        assert answer.status == 200
