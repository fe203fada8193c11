"""A token for one account sees its part on every page, whatever it asks for."""

from __future__ import annotations

import json
from pathlib import Path

from api.query.pool import EnginePool
from runtime.clickhouse.client import parse_dsn
from sori.settings import load_settings
from testkit.clickhouse_fixtures import open_with_schema
from testkit.live_page_data import add_activity, add_alert, fill, hold
from tests.api.alerting import api_running

_ROUTES = ("/v1/live", "/v1/events", "/v1/funnel", "/v1/quarantine", "/v1/audit", "/v1/alerts", "/v1/health")


async def test_a_narrowed_token_sees_only_its_part(topics, tmp_path: Path) -> None:
    """Of acc_2 nothing of acc_1 is told, neither unasked nor asked for by name; an all-seeing token sees both."""
    settings = load_settings(data_dir=tmp_path, kafka=topics.model_dump(), api={"port": 0})
    with open_with_schema(settings.clickhouse_dsn) as client:
        fill(client)
        hold(client, "aaaabbbb", "acc_1")
        add_activity(client, 1, click_after_ms=500)
        add_alert(client, "one")
        async with api_running(settings, EnginePool(parse_dsn(settings.clickhouse_dsn), settings.api)) as api:
            narrow, whole = await api.token("read", ("acc_2",)), await api.token("read")
            for route in _ROUTES:
                for query in ({}, {"account": "acc_1"}):
                    async with api.http.get(
                        route, headers=narrow, params={} if route == "/v1/health" else query
                    ) as one:
                        assert one.status == 200, (route, await one.text())
                        told = await one.text()
                    assert "acc_1" not in told, (route, query)
                    assert "cmp_1" not in told, (route, query)
            async with api.http.get("/v1/live", headers=narrow, params={"account": "acc_1"}) as answer:
                assert (await answer.json())["totals"]["impressions"] == 0
            async with api.http.get("/v1/live", headers=narrow) as answer:
                mine = await answer.json()
            async with api.http.get("/v1/live", headers=whole, params={"account": "acc_2"}) as answer:
                same = await answer.json()
            assert mine["totals"] == same["totals"]
            assert (mine["accounts"], same["accounts"]) == (["acc_2"], ["acc_1", "acc_2"])
            for route in ("/v1/events", "/v1/quarantine", "/v1/alerts"):
                async with api.http.get(route, headers=whole) as answer:
                    assert "acc_1" in json.dumps(await answer.json()), route


async def test_replay_needs_the_right_to_manage_and_keeps_to_the_accounts(topics) -> None:
    """A reader is refused; a manager of one account hands its ceiling on; nonsense is a clear 400."""
    from tests.api.alerting import settings_for

    async with api_running(settings_for(topics)) as api:
        reader, manager = await api.token("read"), await api.token("manage", ("acc_2",))
        for headers, body, status in (
            (reader, {"ids": ["aaaabbbb"]}, 403),
            (manager, {"ids": []}, 400),
            (manager, {"ids": ["aaaabbbb"]}, 503),  # this process cannot replay
        ):
            async with api.http.post("/v1/quarantine/replay", json=body, headers=headers) as answer:
                assert answer.status == status, await answer.text()
