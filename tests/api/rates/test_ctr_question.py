"""Rates: whatever is asked, API and command line answer what a plain count of the same events says."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlsplit

import aiohttp
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from api.query.ctr_question import FILTERS, By, CtrQuestion, asked_ctr, ctr
from api.query.engine import DirectEngine, rows
from api.query.pool import EnginePool
from api.service import serving
from runtime.clickhouse.client import parse_dsn
from sori.errors import QueryError
from sori.settings import Settings
from testkit.cli_process import sori
from testkit.clickhouse_fixtures import open_with_schema
from tests.api.alerting import api_running, settings_for

T0 = 1_760_419_500
ODD = ["cmp_1", 'it\'s \\ "100%"', "'; DROP TABLE events; --", "=HYPERLINK(1)", "-Nx5", "-2+3|x", "@SUM(A1)"]
PLACES = [("US", "MI", "Detroit"), ("TR", "Istanbul", "Kadikoy"), ("CH", "Bern", "Biel/Bienne"), ("", "", "")]


def some_events() -> list[dict[str, Any]]:
    """Impressions and clicks of five minutes, of two accounts; the odd ones among the ids are what people try."""
    chance = random.Random(7)
    made = []
    for number in range(240):
        country, region, city = chance.choice(PLACES)
        made.append(
            {
                "account_id": chance.choice(["acc_1", "acc_2"]),
                "event": chance.choice(["campaign.impression", "campaign.impression", "campaign.click"]),
                "at": T0 + chance.randrange(300),
                "identity": f"i{number}",
                "campaign_id": chance.choice(ODD),
                "material_id": chance.choice(["mat_1", ""]),
                "device_id": chance.choice(["dev_1", "dev_2", "dev'3"]),
                "platform": chance.choice(["iOS", "Android", ""]),
                "country": country,
                "region": region,
                "city": city,
            }
        )
    return made


EVENTS = some_events()


@pytest.fixture
def counted(settings: Settings) -> Settings:
    """The events, and the windows that the pipeline would have made of them; one click of each window is suspect."""
    with open_with_schema(settings.clickhouse_dsn) as client:
        kept = ("account_id", "event", "identity", "campaign_id", "material_id", "device_id", "platform")
        kept += ("country", "region", "city")
        columns = [*kept, "created_at", "received_at", "campaign_name", "kafka_partition", "kafka_offset"]
        data = []
        for number, one in enumerate(EVENTS):
            at = datetime.fromtimestamp(one["at"], UTC)
            data.append([*(one[name] for name in kept), at, at, f"name of {one['campaign_id']}", 0, number])
        client.insert("events", data, column_names=columns)
        counts = "countIf(event = 'campaign.impression'), countIf(event = 'campaign.click')"
        keys = "toStartOfMinute(created_at) AS m, account_id, campaign_id, material_id, platform, country, region, city"
        client.command(
            "INSERT INTO ctr_windows (window_start, account_id, campaign_id, material_id, platform, country, region,"  # noqa: S608 - ours
            f" city, impressions, clicks, suspect_clicks, version) SELECT {keys}, {counts},"
            " least(1, countIf(event = 'campaign.click')), 1 FROM events GROUP BY ALL"
        )
        client.command(
            "INSERT INTO device_windows (window_start, account_id, device_id, impressions, clicks, version)"  # noqa: S608 - ours
            f" SELECT toStartOfMinute(created_at) AS m, account_id, device_id, {counts}, 1 FROM events GROUP BY ALL"
        )
    return settings


@pytest.fixture
def engine(counted: Settings) -> Iterator[DirectEngine]:
    """To ask directly."""
    found = DirectEngine(parse_dsn(counted.clickhouse_dsn), counted.api)
    yield found
    found.close()


def expected(question: CtrQuestion) -> dict[tuple[str, ...], tuple[int, int]]:
    """Impressions and clicks per group, counted here."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for event in EVENTS:
        minute = datetime.fromtimestamp(event["at"] // 60 * 60, UTC)
        within = (question.since is None or minute >= question.since) and (
            question.until is None or minute < question.until
        )
        if within and all(event[column] in values for column, values in question.only):
            found[tuple(event[column] for column in question.columns)][event["event"] == "campaign.click"] += 1
    return {key: (counts[0], counts[1]) for key, counts in found.items()}


def told(question: CtrQuestion, found: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, int]]:
    """The same of an answer; each group is there once."""
    by_key = {
        tuple(row[column] for column in question.columns): (int(row["impressions"]), int(row["clicks"]))
        for row in found
    }
    assert len(by_key) == len(found)
    return by_key


BYS = st.lists(st.sampled_from(get_args(By)), min_size=1, max_size=3)
VALUES = {
    name: st.lists(st.sampled_from([*sorted({one[column] for one in EVENTS}), "' OR 1 --"]), max_size=2)
    for name, column in FILTERS.items()
}
TIMES = st.one_of(st.none(), st.integers(T0 - 90, T0 + 400).map(lambda s: datetime.fromtimestamp(s, UTC).isoformat()))
ASKED = st.fixed_dictionaries(
    {"by": BYS, "since": TIMES, "until": TIMES},
    optional=VALUES,
).map(lambda asked: {name: [value] if isinstance(value, str) else value for name, value in asked.items()})


def test_every_question_is_answered_as_a_plain_count_says(engine: DirectEngine):
    """Filters, times, crossings: minutes, device minutes and events agree; names and rates belong to their counts."""

    @given(ASKED)
    @example_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def attempt(asked):
        if asked["since"] and asked["until"] and asked["since"] >= asked["until"]:
            with pytest.raises(QueryError, match="since must lie before until"):
                asked_ctr(asked)
            return
        question = asked_ctr({**asked, "limit": ["100000"]})
        found = rows(engine, ctr(question))
        assert told(question, found) == expected(question)
        for row in found:
            assert row.get("campaign_name", f"name of {row.get('campaign_id')}") == f"name of {row.get('campaign_id')}"
            assert row["ctr"] == pytest.approx(row["clicks"] / max(row["impressions"], row["clicks"]))
            assert row["ctr_low"] - 1e-9 <= row["ctr"] <= row["ctr_high"] + 1e-9
            if "device_id" not in {*question.columns, *dict(question.only)}:
                assert 0 <= row["suspect_clicks"] <= row["clicks"]
                assert row["clean_ctr"] <= row["ctr"]
            else:
                assert row["suspect_clicks"] is row["clean_ctr"] is None

    attempt()


def test_whatever_is_asked_for_is_a_value_and_never_sql(engine: DirectEngine):
    """Any text: nobody's rates, unless it is somebody's id."""

    @given(st.text(max_size=40), st.sampled_from(sorted(FILTERS)))
    @example_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def attempt(text, name):
        try:
            text.encode()
        except UnicodeEncodeError:
            return
        question = asked_ctr({name: [text], "limit": ["1000"]})
        assert told(question, rows(engine, ctr(question))) == expected(question)

    attempt()


ALIKE = [
    {"by": ["campaign"]},
    {"by": ["campaign", "platform"], "country": ["US", "TR"], "sort": ["ctr_low"]},
    {"by": ["device", "city"], "campaign": [ODD[1]], "limit": ["5"]},
    {"by": ["material"], "account": ["acc_2"], "since": ["2025-10-14T05:26:00Z"], "until": ["2025-10-14T05:28:00Z"]},
    {"by": ["place"], "city": ["Biel/Bienne"], "sort": ["clicks"]},
]


async def test_the_command_and_the_api_give_the_same_rows(counted: Settings):
    """In every format, in the same order; and on standard error it says whom it asked."""
    async with serving(counted) as url, aiohttp.ClientSession(url) as http:
        for asked, fmt in zip(ALIKE, itertools.cycle(("json", "ndjson", "csv", "parquet")), strict=False):
            pairs = [(name, value) for name, values in asked.items() for value in values]
            async with http.get("/v1/ctr", params=pairs) as answer:
                found = await answer.json()
            assert found["by"] == asked["by"]
            assert found["rows"], asked
            async with http.get("/v1/ctr", params=[*pairs, ("format", fmt)]) as answer:
                raw = await answer.read()
            words = [word for name, value in pairs for word in (f"--{name}", value)]
            done = await sori("ctr", *words, "--format", fmt, "--api-port", str(urlsplit(url).port))
            assert f"asking the API at {url}" in done.stderr.decode()
            if fmt == "json":
                assert json.loads(done.stdout) == json.loads(raw) == found
            elif fmt == "ndjson":
                lines = [json.loads(line) for line in done.stdout.splitlines()]
                assert lines == [json.loads(line) for line in raw.splitlines()] == found["rows"]
            else:
                assert done.stdout == raw
            if fmt == "csv":
                table = list(csv.DictReader(io.StringIO(raw.decode())))
                assert [row["clicks"] for row in table] == [str(row["clicks"]) for row in found["rows"]]


async def test_no_cell_of_a_csv_begins_a_formula(counted: Settings):
    """A spreadsheet would compute it; JSON has the id as it is."""
    async with serving(counted) as url, aiohttp.ClientSession(url) as http:
        async with http.get("/v1/ctr", params={"by": "campaign", "format": "csv", "sort": "clicks"}) as answer:
            table = list(csv.DictReader(io.StringIO(await answer.text())))
        async with http.get("/v1/ctr", params={"by": "campaign", "sort": "clicks"}) as answer:
            rows_ = (await answer.json())["rows"]
        direct = await sori("ctr", "--sort", "clicks", "--format", "csv", "--api-port", str(urlsplit(url).port))
    ids = {row["campaign_id"] for row in table}
    assert {"'=HYPERLINK(1)", "'-2+3|x", "'@SUM(A1)", "'-Nx5", *ODD[:3]} == ids
    assert [row["campaign_id"].removeprefix("'") for row in table] == [
        row["campaign_id"].removeprefix("'") for row in rows_
    ]
    assert direct.stdout.decode().splitlines()[0].startswith('"account_id"')


async def test_a_token_gets_the_rates_of_its_accounts_and_no_other(topics, counted: Settings):
    """Whatever it asks for, and in every format."""
    async with api_running(settings_for(topics), EnginePool(parse_dsn(counted.clickhouse_dsn), counted.api)) as api:
        own = await api.token("read", ("acc_1",))
        for asked, fmt in itertools.product(
            ({}, {"account": "acc_1"}, {"account": "acc_2"}), ("json", "csv", "ndjson")
        ):
            async with api.http.get("/v1/ctr", params={**asked, "format": fmt}, headers=own) as answer:
                assert answer.status == 200
                text = await answer.text()
            assert "acc_2" not in text
            assert ("acc_1" in text) == (asked.get("account") != "acc_2")


@pytest.mark.parametrize("wrong", [{"by": ["moon"]}, {"sort": ["id"]}, {"limit": ["0"]}, {"since": ["once"]}])
def test_what_cannot_be_asked_is_refused_by_name(wrong):
    """With what is known."""
    with pytest.raises(QueryError, match=r"none of|from 1 to|not a time"):
        asked_ctr(wrong)
