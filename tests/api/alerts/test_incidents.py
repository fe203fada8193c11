"""Incidents over HTTP, on the real engine: filtered, in pages, told with their alerts, each to whom it belongs."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from api.alerts.incident_sql import incidents_sql, wanted_of
from api.alerts.pages import alerts_sql
from api.query.pool import EnginePool
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from sori.alerting.alert import parse_alert
from sori.alerting.filter import AlertFilter
from sori.alerting.incident import incident_id
from sori.errors import ConfigError
from sori.settings import Settings
from testkit.alerts import alert, incident
from tests.api.alerting import api_running, settings_for

FIRST = alert(alert_id="a1")
MEMBERS = {"campaigns": {"cmp_1": 20}, "members": ["TR/Istanbul/Kadikoy", "TR/Istanbul/Sisli"], "member_count": 2}
SECOND = alert(
    alert_id="a2",
    rule="geo_ctr_anomaly",
    subject_kind="place",
    subject="TR/Istanbul/Kadikoy",
    severity="low",
    evidence=MEMBERS,
)
OVER = alert(alert_id="b1", account_id="acc_2", state="closed", closed_at="2026-11-24T14:53:00.000Z", severity="low")
CASE, OTHER = incident(FIRST, SECOND, now_ms=2), incident(OVER, now_ms=3)
GONE = {**incident(SECOND), "incident_id": "ff_gone", "merged_into": CASE["incident_id"], "state": "closed"}
SAID = {"verdict_id": "v1", "account_id": "acc_1", "target": incident_id("a2"), "target_kind": "incident", "version": 1}
SAID |= {"verdict": "confirmed", "by": "Lee", "state": "made", "made_at": "2026-11-24T15:00:00.000Z"}
ALONE = {**SAID, "verdict_id": "v2", "target": "a1", "target_kind": "alert", "verdict": "false_positive"}


@pytest.fixture
def pool(settings: Settings) -> Iterator[EnginePool]:
    """The real engine with alerts and incidents."""
    with open_client(settings.clickhouse_dsn) as client:
        migrations.apply(client)
        alerts = [{**one, "evidence": orjson.dumps(one["evidence"]).decode()} for one in (FIRST, SECOND, OVER)]
        for table, rows in (("alerts", alerts), ("incidents", [GONE, CASE, OTHER]), ("verdicts", [SAID, ALONE])):
            block = b"\n".join(map(orjson.dumps, rows))
            times = {"date_time_input_format": "best_effort"}
            client.raw_insert(table, insert_block=block, fmt="JSONEachRow", settings=times)
    return EnginePool(parse_dsn(settings.clickhouse_dsn), settings.api)


@pytest.mark.parametrize("asked", [{"rule": ["nosuch"]}, {"severity": ["mild"]}, {"state": ["opened"]}])
def test_what_is_not_known_is_refused_where_no_api_is_asked(asked):
    """`sori incidents` reads the data directory of a pipeline that is stopped: the same words are known there."""
    with pytest.raises(ConfigError, match=r"rule|severity|state"):
        wanted_of(asked)


def test_a_place_is_asked_for_in_any_spelling_of_its_accents():
    """Some keyboards decompose them; the pipeline composes them, in alerts, incidents and webhooks alike."""
    asked, composed = "CH/Zu\u0308rich", "CH/Z\u00fcrich"
    wanted = AlertFilter(places=(asked,))
    assert wanted.matches(parse_alert(orjson.dumps(alert(subject_kind="place", subject=f"{composed}/Uster"))))
    assert composed in alerts_sql(wanted)
    assert composed in incidents_sql(wanted_of({"place": [asked]}))


async def test_incidents_are_listed_told_and_kept_apart(topics, pool):
    """Each filter, two pages, the alerts of one, one that went into another, and another account's nowhere."""
    mine, theirs = CASE["incident_id"], OTHER["incident_id"]
    async with api_running(settings_for(topics), pool) as api:

        async def asked(path: str, status: int = 200, headers=None, **query: str):
            async with api.http.get(path, params=query, headers=headers) as answer:
                assert answer.status == status, await answer.text()
                return await answer.json()

        async def ids(headers=None, **query: str) -> list[str]:
            return [row["incident_id"] for row in (await asked("/v1/incidents", headers=headers, **query))["rows"]]

        assert sorted(await ids()) == sorted([mine, theirs])
        for query in ({"state": "open"}, {"rule": "geo_ctr_anomaly"}, {"place": "TR/Istanbul"}, {"severity": "high"}):
            assert await ids(**query) == [mine], query
        for query in ({"state": "closed"}, {"account": "acc_2"}, {"campaign": "cmp_1", "severity": "low"}):
            assert await ids(**query) == [theirs], query
        assert await ids(place="TR/Izmir") == await ids(device="dev_9") == []
        await asked("/v1/incidents", 400, state="opened")
        page = await asked("/v1/incidents", limit="1")
        assert sorted([page["rows"][0]["incident_id"], *await ids(cursor=page["next"])]) == sorted([mine, theirs])

        told = await asked(f"/v1/incidents/{mine}")
        assert told["incident"] == {name: value for name, value in CASE.items() if name != "change"}
        assert [one["alert_id"] for one in told["alerts"]] == ["a1", "a2"]
        assert told["stories"]["a1"].startswith("Device dev_1 clicked 20 times")
        assert told["gravest"] == "a1"
        assert told["stories"]["a1"].partition(";")[0] in told["story"]
        assert (await asked("/v1/incidents/ff_g"))["incident"]["incident_id"] == mine
        assert (await asked("/v1/alerts"))["incidents"] == {"a1": mine, "a2": mine, "b1": theirs}
        assert [one["verdict_id"] for one in told["verdicts"]] == ["v1"]
        assert [(one["target"], one["verdict"]) for one in told["alert_verdicts"]] == [("a1", "false_positive")]
        for name, by_itself in (("a1", told["alert_verdicts"]), ("a2", [])):
            alone = await asked(f"/v1/alerts/{name}")
            assert (alone["verdicts"], alone["incident_verdicts"]) == (by_itself, told["verdicts"])
        assert (await asked("/v1/alerts/b1"))["incident_verdicts"] == []

        # by hand in place of the sinks: what was said of what went into it is said of it
        said = {"target": mine[:8], "verdict": "false_positive", "by": "Kim", "allow": True}
        async with api.http.post("/v1/verdicts", json=said, headers=await api.token("manage", ("acc_1",))) as answer:
            made = await answer.json()
        assert (answer.status, made["target"], made["target_kind"]) == (201, mine, "incident")
        assert sorted((one["rule"], one["subject"]) for one in made["allowed"]) == [
            ("device_click_burst", "dev_1"),
            ("geo_ctr_anomaly", "TR/Istanbul/Kadikoy"),
            ("geo_ctr_anomaly", "TR/Istanbul/Sisli"),
        ]
        assert told["verdicts"][0].items() >= {"target": incident_id("a2"), "verdict": "confirmed", "by": "Lee"}.items()
        async with api.http.post("/v1/verdicts", json=said, headers=await api.token("manage", ("acc_2",))) as answer:
            assert answer.status == 404

        narrow = await api.token("read", ("acc_2",))
        assert await ids(narrow) == [theirs]
        assert await ids(narrow, account="acc_1") == []
        await asked(f"/v1/incidents/{mine}", 404, narrow)
