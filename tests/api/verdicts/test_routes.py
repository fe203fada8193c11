"""Verdicts over HTTP: who may judge what, what is refused by name, and that all of it stays in the log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sori.alerting import verdict_index
from sori.alerting.verdict import decode, verdict_id
from sori.settings.kafka import KafkaSettings
from tests.api.alerting import Api, NoPool, api_running, settings_for

ALERTS = {
    "alert-of-1": ("acc_1", "fast_click", "dev_1", "{}"),
    "alert-of-2": ("acc_2", "fast_click", "dev_2", json.dumps({"members": ["dev_2", "dev_3"]})),
}
FALSE = {"target": "alert-of-1", "verdict": "false_positive", "note": "our rack", "by": "Kim"}


class Stored(NoPool):
    """ClickHouse with two alerts."""

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """Those whose id begins so, of the accounts in the question."""
        return [
            {
                "alert_id": name,
                "account_id": account,
                "rule": rule,
                "subject_kind": "device",
                "subject": subject,
                "evidence": evidence,
            }
            for name, (account, rule, subject, evidence) in ALERTS.items()
            if f"'{name}'" in sql and ("account_id IN" not in sql or f"'{account}'" in sql)
        ]


@pytest.fixture
async def api(topics: KafkaSettings) -> AsyncIterator[Api]:
    """An API on a real Kafka."""
    async with api_running(settings_for(topics, anonymous="never"), Stored()) as running:
        yield running


async def ask(  # noqa: PLR0917 - as a request has
    api: Api, method: str, path: str, headers: dict[str, str], body: object = None, query: object = None
) -> tuple[int, Any]:
    """Status and answer."""
    async with api.http.request(method, "/v1/verdicts" + path, headers=headers, json=body, params=query) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text else None


async def test_a_verdict_is_kept_replaced_and_withdrawn(api: Api) -> None:
    """One per target; each version names the token, and the last one is a record too."""
    token = await api.token("manage")
    status, made = await ask(api, "POST", "", token, FALSE | {"allow": True, "until": "2030-01-01T00:00:00Z"})
    assert (status, made["version"], made["token"]) == (201, 1, token["Authorization"].split("_")[1])
    assert made["allowed"] == [{"rule": "fast_click", "subject_kind": "device", "subject": "dev_1"}]
    status, again = await ask(api, "POST", "", token, FALSE | {"allow": True, "all_rules": True})
    assert (status, again["version"], again["verdict_id"]) == (201, 2, made["verdict_id"])
    assert [one["rule"] for one in again["allowed"]] == [""]
    assert await ask(api, "GET", "", token) == (200, {"rows": [again], "next": None})
    assert await ask(api, "DELETE", f"/{made['verdict_id']}", token, query={"withdrawn_by": "Lee"}) == (204, None)
    assert (await ask(api, "DELETE", f"/{made['verdict_id']}", token))[0] == 404
    assert (await ask(api, "GET", "", token))[1]["rows"] == []
    gone = decode(api.side.verdicts.values[made["verdict_id"]])
    assert (gone.state, gone.version, gone.by, gone.allows) == ("withdrawn", 3, "Lee", ())


@pytest.mark.parametrize(
    ("until", "kept"),
    [
        ("2030-01-01 02:00:00,123456789+02:00", "2030-01-01T00:00:00.123Z"),
        ("2029-12-31t23:59:60Z", "2030-01-01T00:00:00.000Z"),
        ("2030-01-01T00:00:00", "2030-01-01T00:00:00.000Z"),
    ],
)
async def test_a_time_is_kept_in_one_spelling(api: Api, until: str, kept: str) -> None:
    """However it was written: ISO 8601 in UTC with Z, as in every record, which ClickHouse can hold."""
    token = await api.token("manage")
    status, made = await ask(api, "POST", "", token, FALSE | {"allow": True, "until": until})
    assert (status, made["until"]) == (201, kept)


async def test_a_shared_alert_allows_each_of_its_members(api: Api) -> None:
    """All whom it accuses."""
    token = await api.token("manage")
    _, made = await ask(api, "POST", "", token, FALSE | {"target": "alert-of-2", "allow": True})
    assert [one["subject"] for one in made["allowed"]] == ["dev_2", "dev_3"]


async def test_a_token_judges_what_it_may_see_and_manage(api: Api) -> None:
    """To read does not do; another account's alert and verdict are as if they were not there."""
    every, reader = await api.token("manage"), await api.token("read")
    own, other = await api.token("manage", ["acc_1"]), await api.token("manage", ["acc_2"])
    assert (await ask(api, "POST", "", reader, FALSE))[0] == 403
    assert (await ask(api, "POST", "", {}, FALSE))[0] == 401
    assert (await ask(api, "POST", "", other, FALSE))[0] == 404
    status, made = await ask(api, "POST", "", own, FALSE)
    assert status == 201
    assert (await ask(api, "DELETE", f"/{made['verdict_id']}", reader))[0] == 403
    assert (await ask(api, "DELETE", f"/{made['verdict_id']}", other))[0] == 404
    assert (await ask(api, "GET", "", other))[1]["rows"] == []
    assert (await ask(api, "GET", "", other, query={"account": "acc_1"}))[1]["rows"] == []
    for token in (every, own, reader):
        assert (await ask(api, "GET", "", token))[1]["rows"] == [made]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"verdict": "maybe"}, 422, "verdict"),
        ({"note": "x" * 2_001}, 422, "note"),
        ({"note": "\x1b[2J"}, 422, "note"),
        ({"until": "tomorrow"}, 422, "until"),
        ({"verdict": "confirmed", "allow": True}, 422, "allow"),
        ({"nosuch": 1}, 422, "nosuch"),
        ({"target": "nobody's"}, 404, "no alert"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name(api: Api, body: dict[str, Any], status: int, named: str) -> None:
    """And nothing is written."""
    found, problem = await ask(api, "POST", "", await api.token("manage"), FALSE | body)
    assert found == status
    assert named in problem["detail"]
    assert api.side.verdicts.values == {}


async def test_a_form_of_a_foreign_page_cannot_judge(api: Api) -> None:
    """What a browser sends unasked is no JSON."""
    text = {**await api.token("manage"), "Content-Type": "text/plain"}
    async with api.http.post("/v1/verdicts", headers=text, data=json.dumps(FALSE)) as answer:
        assert answer.status == 415


async def test_an_account_has_room_for_so_many(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subjects allowed, targets, versions: each has its word, and withdrawing makes room."""
    token = await api.token("manage")
    monkeypatch.setattr(verdict_index, "MOST_OF_ACCOUNT", 1)
    status, problem = await ask(api, "POST", "", token, FALSE | {"target": "alert-of-2", "allow": True})
    assert (status, "withdraw" in problem["detail"]) == (409, True)
    monkeypatch.setattr(verdict_index, "MOST_VERSIONS", 1)
    assert (await ask(api, "POST", "", token, FALSE))[0] == 201
    assert (await ask(api, "POST", "", token, FALSE))[0] == 409
    monkeypatch.setattr(verdict_index, "MOST_TARGETS", 0)
    status, problem = await ask(api, "POST", "", token, FALSE | {"target": "alert-of-2"})
    assert (status, "targets" in problem["detail"]) == (409, True)


async def test_pages_lead_from_the_latest_to_the_first(api: Api) -> None:
    """Each once."""
    token = await api.token("manage")
    for name in ALERTS:
        await ask(api, "POST", "", token, FALSE | {"target": name})
    _, first = await ask(api, "GET", "", token, query={"limit": 1})
    _, last = await ask(api, "GET", "", token, query={"limit": 1, "cursor": first["next"]})
    assert [one["target"] for one in (*first["rows"], *last["rows"])] == ["alert-of-2", "alert-of-1"]
    assert last["next"] is None
    _, one = await ask(api, "GET", "", token, query={"target": "alert-of-1"})
    assert [row["verdict_id"] for row in one["rows"]] == [verdict_id("alert-of-1")]
