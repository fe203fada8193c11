"""Roll-ups say what the minutes say: before rolling, after it, and while windows go on changing."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events, packed
from sinks.insert.writer import Writer
from sinks.upkeep.rollups import FAMILIES, Roller
from testkit.records import FakeRecord, event_record

MINUTE = 1_760_419_500  # 2025-10-14T05:25:00Z
LEVELS = {"5m": 300, "1h": 3600, "1d": 86_400}
SUMS = {f"ctr_sums_by_{name}": dimensions for name, dimensions in FAMILIES.items()} | {
    "ctr_sums_of_places": FAMILIES["place"]
}


@pytest.fixture
def writer(client: Client) -> Writer:
    """A writer on the test's database."""
    return Writer(lambda: client)


def fill(writer: Writer, version: int, count: int = 300) -> None:
    """Windows over three days, some of them again with a higher version."""
    rng = random.Random(version)
    lines = [
        json.dumps(
            {
                "window_start": MINUTE + 60 * rng.randrange(3 * 1440),
                "account_id": "acc_1",
                "campaign_id": f"cmp_{rng.randrange(3)}",
                "material_id": "m",
                "platform": rng.choice(("iOS", "Android")),
                "country": "US",
                "region": "MI",
                "city": rng.choice(("Ann Arbor", "Detroit")),
                "source_partition": rng.randrange(2),
                "impressions": rng.randrange(100),
                "clicks": rng.randrange(1, 5),
                "suspect_clicks": rng.randrange(2),
                "version": version,
            }
        )
        for _ in range(count)
    ]
    writer.insert(packed.builder("ctr_windows")([FakeRecord("\n".join(lines).encode())]), None)


def disagreements(client: Client) -> list[str]:
    """Views whose sums differ from the same sums over minutes."""
    wrong = []
    for family, dimensions in (("campaign", "campaign_id, platform"), ("place", "country, city")):
        for level, seconds in LEVELS.items():
            start = f"toDateTime(intDiv(toUInt32(minute), {seconds}) * {seconds}, 'UTC') AS time"
            sums = "sum(impressions), sum(clicks), sum(suspect_clicks)"
            wanted = f"SELECT {start}, {dimensions}, {sums} FROM ctr_by_minute GROUP BY time, {dimensions}"  # noqa: S608 - ours
            view = f"ctr_by_{family}_{level}"
            found = f"SELECT time, {dimensions}, {sums} FROM {view} GROUP BY time, {dimensions}"  # noqa: S608 - ours
            if client.query(f"({wanted} EXCEPT {found}) UNION ALL ({found} EXCEPT {wanted})").result_rows:
                wrong.append(view)
    total = "SELECT sum(impressions), sum(clicks), sum(suspect_clicks)"
    wanted = client.query(f"{total} FROM ctr_by_minute").result_rows
    totals = ("ctr_by_campaign", "ctr_by_place")
    wrong += sums_that_differ(client)
    return wrong + [view for view in totals if client.query(f"{total} FROM {view}").result_rows != wanted]


def sums_that_differ(client: Client) -> list[str]:
    """Of `ctr_sums_*`, over ranges that begin and end anywhere, in steps of any length."""
    rng = random.Random(client.command("SELECT count() FROM rollup_dirty"))
    spans = [(0, 2**32 - 1), (MINUTE, MINUTE), *((a, a + rng.randrange(2 * 86_400)) for a in starts(rng, 3))]
    wrong = []
    for since, until in spans:
        for name, dimensions in SUMS.items():
            step = rng.choice((1, 60, 299, 300, 1800, 3600, 43_200, 86_400, 604_800))
            level = max((seconds for seconds in LEVELS.values() if seconds <= step), default=60)
            slot = "toDateTime(intDiv(toUInt32({0}), {1}) * {1}, 'UTC') AS slot"
            sums = f"{dimensions}, sum(m.impressions), sum(m.clicks), sum(m.suspect_clicks)"
            grouped = f"GROUP BY slot, {dimensions}"
            within = f"minute >= toDateTime({since}, 'UTC') AND minute < toDateTime({until}, 'UTC')"
            wanted = (
                f"SELECT {slot.format('minute', level)}, {sums} FROM ctr_by_minute AS m"  # noqa: S608 - numbers
                f" WHERE {within} {grouped}"
            )
            view = f"{name}(since = {since}, until = {until}, step = {step})"
            found = f"SELECT {slot.format('time', level)}, {sums} FROM {view} AS m {grouped}"  # noqa: S608 - ours
            found += " HAVING sum(m.impressions) > 0 OR sum(m.clicks) > 0"
            if client.query(f"({wanted} EXCEPT {found}) UNION ALL ({found} EXCEPT {wanted})").result_rows:
                wrong.append(view)
    return wrong


def starts(rng: random.Random, count: int) -> list[int]:
    """Moments around the windows of `fill`, some of them at the start of an hour or a day."""
    found = [MINUTE - 86_400 + rng.randrange(4 * 86_400) for _ in range(count)]
    return [at - at % rng.choice((1, 3600, 86_400)) for at in found]


async def test_views_agree_with_the_minutes_at_every_moment(client: Client, writer: Writer) -> None:
    """Nothing rolled; everything rolled; some buckets dirty again; rolled again; a window set to zero."""
    with ThreadPoolExecutor(1) as executor:
        roller = Roller(writer, executor, quiet_s=-1.0)
        fill(writer, 1)
        assert disagreements(client) == []
        assert await roller.once() > 100
        assert client.command("SELECT count() FROM rollup_dirty") == 0
        assert client.command("SELECT count() FROM campaign_rollups") > 0
        assert disagreements(client) == []
        # quiet_s below zero put the watermark into the future, so that changes of this very moment were rolled
        client.command("TRUNCATE TABLE rollup_watermark")
        client.command("INSERT INTO rollup_watermark SELECT now64(3)")
        fill(writer, 2, count=40)
        assert 0 < client.command("SELECT count() FROM rollup_dirty") <= 40
        assert disagreements(client) == []
        assert await roller.once() > 0
        assert disagreements(client) == []


async def test_a_bucket_is_not_rolled_while_it_changes(client: Client, writer: Writer) -> None:
    """It is counted live until it has been quiet."""
    with ThreadPoolExecutor(1) as executor:
        fill(writer, 1)
        assert await Roller(writer, executor, quiet_s=60.0).once() == 0
        assert disagreements(client) == []


def test_campaigns_and_materials_are_as_last_seen(client: Client, writer: Writer) -> None:
    """The newest name wins by event time; a deleted material keeps what was known of it."""

    def named(offset: int, minute: int, name: str) -> FakeRecord:
        when = f"2025-10-14T05:{minute:02d}:00Z"
        return event_record(offset, created_at=when, campaign={"id": "c", "name": name, "tags": [name.lower()]})

    def material(offset: int, minute: int, change: str, **entity: object) -> FakeRecord:
        when = f"2025-10-14T05:{minute:02d}:00Z"
        return event_record(
            offset, event=f"admin.material.{change}", created_at=when, campaign=None, material={"id": "m1", **entity}
        )

    writer.insert(events.build([named(0, 30, "New"), named(1, 10, "Old")]), None)
    writer.insert(events.build([material(2, 10, "created", name="Spot", tags=["a"]), material(3, 20, "deleted")]), None)
    writer.insert(events.build([event_record(4, material={"id": "m2", "name": "Heard"})]), None)
    query = "SELECT name, tags, formatDateTime(last_seen, '%H:%i') FROM campaigns WHERE campaign_id = 'c'"
    assert client.query(query).result_rows == [("New", ["new"], "05:30")]
    query = "SELECT material_id, name, tags, state, deleted FROM materials ORDER BY material_id"
    assert client.query(query).result_rows == [("m1", "Spot", ["a"], "deleted", 1), ("m2", "Heard", [], "seen", 0)]
