"""One place's figures cost what that place has, however many places there are; also in a database from before."""

# ruff: noqa: S608 - names and numbers of ours

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from api.live.sql import live
from api.query.ctr_question import CtrQuestion, ctr
from api.query.slice import Slice, asked_slice
from runtime.clickhouse import migrations
from sinks.insert.writer import Writer
from sinks.upkeep.rollups import Roller
from testkit.grafana_panels import panel_sql
from tests.sinks.upkeep.test_rollups import disagreements, fill

START, DAYS, CITIES = 1_759_276_800, 20, 150
END = datetime.fromtimestamp(START + DAYS * 86_400, UTC)
#: Every city is seen once an hour; the region and the country of a city are what its name says.
WINDOWS = f"""
INSERT INTO ctr_windows
    (window_start, account_id, campaign_id, platform, country, region, city, impressions, clicks, version)
SELECT toDateTime({START} + intDiv(number, {CITIES}) * 3600, 'UTC'), 'acc_1', 'c',
    if(intDiv(number, {CITIES}) % 3 = 0, 'iOS', 'Android'), 'C' || toString(number % {CITIES} % 5),
    'R' || toString(number % {CITIES} % 30),
    'City ' || toString(number % {CITIES}), 3, 1, 9
FROM numbers({DAYS} * 24 * {CITIES})
"""
PLACES = {"city": ["City 7"]}, {"city": ["City 7"], "region": ["R7"], "country": ["C2"]}, {"region": ["R7"]}


@pytest.fixture
def filled(client: Client) -> Client:
    """Rolled up to hours and days."""
    client.command(WINDOWS)
    with ThreadPoolExecutor(1) as executor:
        Roller(Writer(lambda: client), executor, quiet_s=-1.0).roll()
    return client


def rows_read(client: Client, sql: str) -> int:
    """As the engine counts them, however often it was asked before."""
    answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
    return int(answer["statistics"]["rows_read"])


def of(chips: dict[str, list[str]]) -> Slice:
    """Everything that there is."""
    since = datetime.fromtimestamp(START, UTC)
    return asked_slice({"since": [since.isoformat()], "until": [END.isoformat()], **chips}, END)


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_place_costs_what_it_has(filled: Client) -> None:
    """Its curve and what that is compared with read a few stretches, not the hours of each place."""
    hours = filled.command("SELECT count() FROM place_rollups FINAL WHERE seconds = 3600")
    assert hours == DAYS * 24 * CITIES
    for chips in PLACES:
        asked = live(of(chips), 20)
        for part in ("series", "compared", "totals", "campaigns", "places", "countries"):
            assert rows_read(filled, asked[part]) < hours / 10, (chips, part)
    question = CtrQuestion(("city",), (("city", ("City 7",)),))
    assert "ctr_sums_of_places(" in ctr(question)


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_place_has_the_same_figures_as_among_all(filled: Client) -> None:
    """Row by row, whether its region is said or not."""
    columns = "time, account_id, campaign_id, country, region, city, impressions, clicks, suspect_clicks"
    for step in (3600, 86_400):
        span = f"(since = {START}, until = {START + DAYS * 86_400 - 7200}, step = {step})"
        one, other = (
            filled.query(f"SELECT {columns} FROM {view}{span} WHERE city = 'City 7' ORDER BY ALL").result_rows
            for view in ("ctr_sums_by_place", "ctr_sums_of_places")
        )
        assert one == other
        assert sum(row[6] for row in one) == 3 * (DAYS * 24 - 2)


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_the_list_of_places_reads_platforms_only_where_one_is_chosen(filled: Client) -> None:
    """As many rows as places have days; with a platform, as many as their platforms have."""
    days = DAYS * CITIES
    begin, end = START, START + DAYS * 86_400
    every = panel_sql("campaigns", "Places", begin, end)
    assert rows_read(filled, every) <= 1.2 * days
    columns = "country, region, city, impressions, clicks"
    rows = filled.query(f"SELECT {columns} FROM ({every}) ORDER BY ALL").result_rows
    assert len(rows) == 50
    assert {row[3:] for row in rows} == {(3 * DAYS * 24, DAYS * 24)}
    ios = panel_sql("campaigns", "Places", begin, end, platform="'iOS'")
    assert {row[3:] for row in filled.query(f"SELECT {columns} FROM ({ios})").result_rows} == {(DAYS * 24, DAYS * 8)}


def test_roll_ups_from_before_are_copied(client: Client) -> None:
    """By the migration, which may break off and run again; what is rolled up later takes their place."""
    writer = Writer(lambda: client)
    fill(writer, 1)
    with ThreadPoolExecutor(1) as executor:
        roller = Roller(writer, executor, quiet_s=-1.0)
        roller.roll()
        client.command("TRUNCATE TABLE placed_rollups")
        assert any("ctr_sums_of_places" in view for view in disagreements(client))
        [migration] = [one for one in migrations.load() if one.title == "placed_rollups"]
        for _ in range(2):
            for statement in migration.statements():
                client.command(statement)
            assert disagreements(client) == []
        fill(writer, 2)
        # a watermark of the future would hide these changes
        client.command("TRUNCATE TABLE rollup_watermark")
        roller.roll()
    assert disagreements(client) == []
