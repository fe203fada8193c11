"""The command line with a token for some accounts: rates and alerts are those of these accounts, SQL is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator

import orjson
import pyarrow.parquet
import pytest

from api.query.pool import EnginePool
from runtime.clickhouse.client import open_client, parse_dsn
from sori.settings import Settings
from testkit.alerts import alert
from testkit.cli_process import sori
from tests.api.alerting import Api, api_running, settings_for

OWN, FOREIGN, MANY = "acc_1", "acc_2", 1010
BY = ("--by", "campaign,platform", "--by", "city", "--sort", "ctr", "--limit", "3")


@pytest.fixture
async def api(topics, filled: Settings) -> AsyncIterator[Api]:
    """A real API on a real engine, with more alerts of one account than a page holds."""
    with open_client(filled.clickhouse_dsn) as client:
        rows = [alert(alert_id=f"b{number:04d}", account_id=OWN) for number in range(MANY)]
        lines = [orjson.dumps({**row, "evidence": orjson.dumps(row["evidence"]).decode()}) for row in rows]
        times = {"date_time_input_format": "best_effort"}
        client.raw_insert("alerts", insert_block=b"\n".join(lines), fmt="JSONEachRow", settings=times)
    pool = EnginePool(parse_dsn(filled.clickhouse_dsn), filled.api)
    async with api_running(settings_for(topics), pool) as found:
        yield found


async def narrow(api: Api, *accounts: str) -> tuple[str, ...]:
    """The options that ask this API with a token for these accounts."""
    text = (await api.token("read", accounts))["Authorization"].removeprefix("Bearer ")
    return ("--token", text, "--api-port", str(api.http._base_url.port))


async def test_rates_come_in_every_form_and_of_the_tokens_accounts(api: Api):
    """What the whole API says of the account, in its order: the command asked in SQL, which was refused."""
    ask = await narrow(api, OWN)
    pairs = [("by", "campaign,platform"), ("by", "city"), ("sort", "ctr"), ("limit", "3"), ("account", OWN)]
    async with api.http.get("/v1/ctr", params=pairs) as answer:
        whole = await answer.json()
    assert len(whole["rows"]) > 1
    for form in (("--format", "ndjson"), ("--json",)):
        lines = (await sori("ctr", *BY, *form, *ask)).stdout.splitlines()
        assert [json.loads(line) for line in lines] == whole["rows"]
    assert json.loads((await sori("ctr", *BY, "--format", "json", *ask)).stdout) == whole
    clicks = [row["clicks"] for row in whole["rows"]]
    text = (await sori("ctr", *BY, "--format", "csv", *ask)).stdout.decode()
    assert [int(row["clicks"]) for row in csv.DictReader(io.StringIO(text))] == clicks
    table = pyarrow.parquet.read_table(io.BytesIO((await sori("ctr", *BY, "--format", "parquet", *ask)).stdout))
    assert table.column("clicks").to_pylist() == clicks
    shown = (await sori("ctr", *ask)).stdout.decode()
    assert "cmp_1" in shown
    assert "cmp_2" not in shown
    assert "no impressions" in (await sori("ctr", "--account", FOREIGN, *ask)).stdout.decode()


async def test_alerts_and_their_story_are_those_of_the_tokens_accounts(api: Api):
    """Also more of them than a page holds; another account's alert is one that there is not."""
    own, foreign = await narrow(api, OWN), await narrow(api, FOREIGN)
    lines = (await sori("alerts", "--json", "--limit", str(MANY - 3), *own)).stdout.splitlines()
    assert len({json.loads(line)["alert_id"] for line in lines}) == MANY - 3
    since = ("--since", "2026-01-01", "--state", "open", "--limit", "5000")
    assert len((await sori("alerts", "--json", *since, *own)).stdout.splitlines()) == MANY
    assert b"no alerts" in (await sori("alerts", *foreign)).stdout
    told = json.loads((await sori("explain", "a1", "--json", *own)).stdout)
    assert told["alert"]["account_id"] == OWN
    for alert_id, ask in (("a1", foreign), ("stream", own), ("a/1 ?#%", own)):
        done = await sori("explain", alert_id, *ask, code=2)
        assert f"no alert {alert_id!r} is stored" in done.stderr.decode()


async def test_what_is_sql_is_refused_and_says_why(api: Api):
    """No half answer: these count over every account."""
    ask = await narrow(api, OWN)
    for words in (["query", "SELECT 1"], ["verify"], ["audit"], ["subscribers", "attempts", "sub_x"]):
        done = await sori(*words, *ask, code=2)
        assert "needs a token for every account" in done.stderr.decode()
