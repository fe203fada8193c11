"""GET /v1/alerts/{id}: what `sori explain` tells, for who may know it."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import aiohttp
import pytest
from typer.testing import CliRunner

from api.alerts.story import tell
from api.query.pool import EnginePool
from api.service import serving
from cli.main import build
from cli.shared.rule_cards import cards
from runtime.clickhouse.client import parse_dsn
from sori.errors import ConfigError
from sori.settings import Settings
from testkit.alerts import alert
from testkit.cli_process import sori
from tests.api.alerting import api_running, settings_for


async def test_the_api_tells_what_explain_tells(filled: Settings):
    """The same object, by the whole id or its beginning; what there is not is 404."""
    async with serving(filled, card_of=cards(filled)) as url, aiohttp.ClientSession(url) as http:
        async with http.get("/v1/alerts/a") as answer:
            told = await answer.json()
        port = str(urlsplit(url).port)
        assert told == json.loads((await sori("explain", "a1", "--json", "--api-port", port)).stdout)
        assert told["alert"]["opened_at"] == "2025-10-14T05:25:30.000Z"
        assert told["rule"]["name"] == "device_click_burst"
        for path, status in (("/v1/alerts/zz", 404), ("/v1/alerts/a1?events=many", 400)):
            async with http.get(path) as answer:
                assert (answer.status, answer.content_type) == (status, "application/problem+json")

        for state, count in (("open", 1), ("opened", 1), ("closed", 0)):
            async with http.get("/v1/alerts", params={"state": state}) as answer:
                rows = (await answer.json())["rows"]
            assert len(rows) == count
            lines = (await sori("alerts", "--state", state, "--json", "--api-port", port)).stdout.splitlines()
            assert [json.loads(line) for line in lines] == rows
        done = await sori("alerts", "--api-port", port)
        assert "a1" in done.stdout.decode()
        assert f"asking the API at {url}" in done.stderr.decode()


def test_a_shared_alert_is_told_by_its_strongest_member():
    """Its window and counts are that member's, so panes and events are as well; its subject is only the first one."""
    evidence = {"sample_event_ids": ["x"], "campaigns": {}, "findings": 1, "members": ["dev_1", "dev_2"]}
    stored = alert(alert_id="a1", evidence=json.dumps(evidence | {"member_count": 2, "strongest_member": "dev_2"}))
    stored = {
        name: str(value).replace("T", " ").rstrip("Z")
        if name.endswith(("_at", "window_start", "window_end")) and value
        else value
        for name, value in stored.items()
    }
    asked, answers = [], iter([[stored]])

    def run(steps):
        sql = next(steps)
        while True:
            asked.append(sql)
            sql = steps.send(next(answers, []))

    with pytest.raises(StopIteration) as end:
        run(tell("a1", 10, lambda *_: None, 5))
    panes, events = (next(sql for sql in asked if column in sql) for column in ("AS pane", "AS named"))
    assert "device_id = 'dev_2'" in panes
    assert "device_id = 'dev_2'" in events
    assert end.value.value["alert"]["subject"] == "dev_1"


async def test_a_token_is_told_of_its_accounts_only(topics, filled: Settings):
    """Another account's alert is one that there is not."""
    async with api_running(settings_for(topics), EnginePool(parse_dsn(filled.clickhouse_dsn), filled.api)) as api:
        for account, status in (("acc_1", 200), ("acc_2", 404)):
            headers = await api.token("read", (account,))
            async with api.http.get("/v1/alerts/a1", headers=headers) as answer:
                assert answer.status == status


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["alerts", "--state", "openn"], "did you mean open"),
        (["alerts", "--rule", "nosuch"], "none of device_click_burst"),
        (["alerts", "--severity", "hgih"], "did you mean high"),
        (["subscribers", "add", "https://example.com/", "--rule", "fast_clik"], "did you mean fast_click"),
        (["subscribers", "add", "https://example.com/", "--severity", "hig"], "did you mean high"),
    ],
)
def test_what_there_is_not_is_refused_before_anybody_is_asked(words: list[str], says: str):
    """It said `no alerts`, or subscribed to what never fires."""
    with pytest.raises(ConfigError, match=says):
        CliRunner().invoke(build(), words, catch_exceptions=False)
