"""Alerts and attempts in pages, filtered, on the real engine; and nothing of another account in any of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import orjson
import pytest

from api.alerts.shape import FIELDS
from api.query.pool import EnginePool
from notify.formats import body_of
from runtime.clickhouse.client import parse_dsn
from sori.alerting.alert import parse_alert
from sori.alerting.filter import AlertFilter
from sori.settings import Settings
from testkit.alerts import alert
from testkit.clickhouse_fixtures import open_with_schema
from testkit.paths import ROOT
from tests.api.alerting import api_running, settings_for

NAMES = {"account": "accounts", "rule": "rules", "severity": "severities", "place": "places", "campaign": "campaigns"}
FILTERS = [
    {},
    {"account": ["acc_1"]},
    {"account": ["acc_1", "acc_2"], "severity": ["high", "critical"]},
    {"rule": ["geo_hop"]},
    {"state": ["closed"]},
    {"state": ["opened", "updated"], "account": ["acc_0"]},
    {"place": ["TR"]},
    {"place": ["TR/Istanbul"]},
    {"place": ["TR/Istanbul/Kadikoy", "US"]},
    {"place": ["TR/Ist"]},
    {"campaign": ["cmp_1"]},
    {"campaign": ['it\'s 100% \\ "quoted"']},
    {"campaign": ["cmp_0", "cmp_2"], "severity": ["low"]},
]


def some_alerts() -> list[dict[str, object]]:
    """Alerts of three accounts; many share the moment of their last change."""
    chance = random.Random(5)
    campaigns = ["cmp_0", "cmp_1", "cmp_2", FILTERS[11]["campaign"][0]]
    subjects = {
        "device": ["dev_1", "TR/Istanbul/Kadikoy"],
        "place": ["TR/Istanbul/Kadikoy", "TR/Istanbul/Besiktas", "TR/Izmir/Konak", "US/MI/Detroit", "TRX/A/B"],
        "campaign": campaigns,
    }
    made = []
    for number in range(120):
        kind = chance.choice(list(subjects))
        at = f"2026-11-24T14:50:{chance.randrange(12):02d}.250Z"
        evidence: dict[str, object] = {"sample_event_ids": []}
        evidence["campaigns"] = dict.fromkeys(chance.sample(campaigns, 2), 1)
        subject = chance.choice(subjects[kind])
        if number % 4 == 0:
            evidence["members"] = [subject, *(name for name in subjects[kind] if name != subject)][:2]
        made.append(
            alert(
                alert_id=f"a{number:03d}",
                account_id=f"acc_{number % 3}",
                rule=chance.choice(["geo_hop", "device_farm"]),
                severity=chance.choice(["low", "medium", "high", "critical"]),
                state=chance.choice(["opened", "updated", "closed"]),
                subject_kind=kind,
                subject=subject,
                updated_at=at,
                evidence=evidence,
            )
        )
    return made


def some_attempts() -> list[dict[str, object]]:
    """Attempts of two subscriptions, of which one is of account acc_1."""
    rows = []
    for number, name in itertools.product(range(40), ("sub_own", "sub_other")):
        rows.append(
            {
                "subscription_id": name,
                "account_id": "acc_1" if name == "sub_own" else "acc_2",
                "webhook_id": f"msg_{number // 4}_1",
                "alert_id": str(number // 4),
                "alert_version": 1,
                "attempt": number % 4 + 1,
                "attempted_at": f"2026-11-24T14:50:{number // 3:02d}.250Z",
                "host": "example.com",
                "status": 204 if number % 4 == 3 else 0,
                "error": "" if number % 4 == 3 else "connect",
                "outcome": "delivered" if number % 4 == 3 else "retry",
                "duration_ms": 1.5,
                "next_attempt_at": None,
            }
        )
    return rows


@pytest.fixture
def pool(settings: Settings) -> Iterator[EnginePool]:
    """The real engine with both."""
    with open_with_schema(settings.clickhouse_dsn) as client:
        for table, rows in (("alerts", some_alerts()), ("delivery_attempts", some_attempts())):
            lines = [
                {k: orjson.dumps(v).decode() if isinstance(v, dict) else v for k, v in row.items()} for row in rows
            ]
            client.raw_insert(
                table,
                insert_block=b"\n".join(orjson.dumps(line) for line in lines),
                fmt="JSONEachRow",
                settings={"date_time_input_format": "best_effort"},
            )
    return EnginePool(parse_dsn(settings.clickhouse_dsn), settings.api)


async def pages(http, path, query, headers=None, limit=7):
    """Every row, page by page, and how many pages there were."""
    rows, cursor, count = [], None, 0
    while cursor or not count:
        more = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        pairs = [(name, value) for name, values in query.items() for value in values]
        async with http.get(path, params=[*pairs, *more.items()], headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            page = await answer.json()
        rows += page["rows"]
        cursor, count = page["next"], count + 1
    return rows, count


async def test_the_filters_of_pages_are_those_of_webhooks(topics, pool):
    """Every filter, in pages with ties at their ends, lets the same alerts pass as in streams and webhooks."""
    async with api_running(settings_for(topics), pool) as api:
        for query in FILTERS:
            fields = {NAMES.get(name, "states"): tuple(values) for name, values in query.items()}
            wanted = AlertFilter(**fields)
            expected = [one for one in some_alerts() if wanted.matches(parse_alert(orjson.dumps(one)))]
            rows, count = await pages(api.http, "/v1/alerts", query)
            assert sorted(row["alert_id"] for row in rows) == sorted(str(one["alert_id"]) for one in expected), query
            assert count == max(1, -(-len(expected) // 7))
            assert [row["updated_at"] for row in rows] == sorted((row["updated_at"] for row in rows), reverse=True)
        rows, _ = await pages(
            api.http, "/v1/alerts", {"since": ["2026-11-24T14:50:03Z"], "until": ["2026-11-24T14:50:05Z"]}
        )
        assert {row["updated_at"][17:19] for row in rows} == {"03", "04"}
        rows, _ = await pages(api.http, "/v1/alerts", {"device": ["TR/Istanbul/Kadikoy"]})
        about = [parse_alert(orjson.dumps(one)) for one in some_alerts() if one["subject_kind"] == "device"]
        assert sorted(row["alert_id"] for row in rows) == sorted(
            one.alert_id for one in about if "TR/Istanbul/Kadikoy" in one.accused
        )
        assert len(rows) > sum(row["subject"] == "TR/Istanbul/Kadikoy" for row in rows), "members count"


async def test_the_api_answers_alerts_in_the_shape_of_the_topic(topics, pool):
    """The very record: the same fields, times with Z, the evidence an object; as webhooks and streams carry it."""
    async with api_running(settings_for(topics), pool) as api:
        rows, _ = await pages(api.http, "/v1/alerts", {}, limit=200)
    written = {one["alert_id"]: one for one in some_alerts()}
    assert {row["alert_id"]: row for row in rows} == written
    schema = orjson.loads((ROOT / "docs/schemas/fraud-alert.json").read_bytes())
    assert set(FIELDS) == set(schema["properties"])
    assert orjson.loads(body_of("standard", orjson.dumps(written["a000"]), "t"))["data"] == written["a000"]


async def test_a_token_sees_its_accounts_in_pages_and_attempts_and_nothing_else(topics, pool):
    """Not with a filter, not with the cursor of somebody who sees more, not by the id of a foreign subscription."""
    async with api_running(settings_for(topics), pool) as api:
        own = await api.token("manage", ("acc_1",))
        rows, _ = await pages(api.http, "/v1/alerts", {}, own)
        assert {row["account_id"] for row in rows} == {"acc_1"}
        assert len(rows) == 40
        for query in ({"account": ["acc_2"]}, {"account": ["acc_0", "acc_2"], "severity": ["high"]}):
            assert await pages(api.http, "/v1/alerts", query, own) == ([], 1)
        async with api.http.get("/v1/alerts", params={"limit": "3"}) as answer:
            foreign = (await answer.json())["next"]
        async with api.http.get("/v1/alerts", params={"cursor": foreign, "limit": "1000"}, headers=own) as answer:
            assert {row["account_id"] for row in (await answer.json())["rows"]} == {"acc_1"}


async def test_attempts_in_pages_by_outcome_and_time(topics, pool):
    """Latest first, each once; a foreign subscription's are not there."""
    async with api_running(settings_for(topics), pool) as api:
        own = await api.token("read", ("acc_1",))
        for name, accounts in (("sub_own", ("acc_1",)), ("sub_other", ("acc_2",))):
            value = {"id": name, "url": "https://example.com/", "secret": "", "created_ms": 0, "scope": accounts}
            await api.side.subscriptions.put(name, orjson.dumps(value))
        path = "/v1/subscriptions/sub_own/attempts"
        rows, count = await pages(api.http, path, {}, own)
        assert (len(rows), count) == (40, 6)
        assert {row["subscription_id"] for row in rows} == {"sub_own"}
        keys = [(row["attempted_at"], row["webhook_id"], row["attempt"]) for row in rows]
        assert keys == sorted(set(keys), reverse=True)
        assert keys[0][0] == "2026-11-24T14:50:13.250Z"
        rows, _ = await pages(api.http, path, {"outcome": ["delivered"], "since": ["2026-11-24T14:50:05Z"]}, own)
        assert [row["webhook_id"] for row in rows] == [f"msg_{n}_1" for n in range(9, 3, -1)] + ["msg_3_1"]
        async with api.http.get("/v1/subscriptions/sub_other/attempts", headers=own) as answer:
            assert answer.status == 404
        for wrong in (
            {"outcome": "lost"},
            {"cursor": "e30"},
            {"cursor": "WzFd"},
            {"limit": "0"},
            {"since": "9" * 99 + "d"},
        ):
            async with api.http.get(path, params=wrong, headers=own) as answer:
                assert (answer.status, answer.content_type) == (400, "application/problem+json"), wrong
