"""GET /v1/alerts/{id}: what `sori explain` tells, for who may know it."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import aiohttp
import pytest
from typer.testing import CliRunner

from api.query.pool import EnginePool
from api.service import serving
from cli.main import build
from cli.shared.rule_cards import cards
from runtime.clickhouse.client import parse_dsn
from sori.errors import ConfigError
from sori.settings import Settings
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
