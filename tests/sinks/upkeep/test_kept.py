"""What has aged out is never counted again: one late event must not wipe a minute, nor a minute a day."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from runtime.clickhouse import retention
from runtime.clickhouse.kept import Kept, read_kept
from sinks.builders import events, packed
from sinks.consumer.commit_intents import Standing
from sinks.consumer.log_book import LogBook, NamedLog
from sinks.insert.writer import Writer
from sinks.maintenance.tasks import TASKS
from sinks.upkeep import late_repair
from sinks.upkeep.late_repair import Repairer
from sinks.upkeep.rollups import Roller
from sori.errors import ConfigError
from sori.settings import Settings, load_settings
from sori.settings.clickhouse import ClickHouseSettings
from sori.settings.kafka import KafkaSettings
from testkit.records import FakeRecord, event_record

MINUTE = 1_760_419_500  # 2025-10-14T05:25:00Z, long before any retention below
MONTH = ClickHouseSettings(events_days=30)


@pytest.fixture
def writer(client: Client) -> Writer:
    """A writer on the test's database."""
    return Writer(lambda: client)


def window(impressions: int, start: int = MINUTE) -> bytes:
    """What the stream once counted."""
    names = {"account_id": "acc_1", "campaign_id": "cmp_1", "material_id": "", "platform": "Android"}
    place = {"country": "Unknown", "region": "Unknown", "city": "Unknown", "source_partition": 0}
    counts = {"impressions": impressions, "clicks": 0, "suspect_clicks": 0, "version": 5}
    return json.dumps({"window_start": start, **names, **place, **counts}).encode()


def store(writer: Writer, table: str, line: bytes) -> None:
    """Insert one NDJSON row."""
    writer.insert(packed.builder(table)([FakeRecord(line)]), None)


def impressions(client: Client, view: str = "ctr_by_minute") -> int:
    """All that people see."""
    return int(client.command(f"SELECT sum(impressions) FROM {view}"))  # noqa: S608 - ours


async def repair_once(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> int:
    """As beside the sinks, every event being stored."""

    async def standing(*_: object) -> Standing:
        return Standing({0: 10**9}, {}, ())

    async def look_up(*_: object) -> NamedLog:
        return NamedLog(7, 0)

    monkeypatch.setattr(late_repair, "read_standing", standing)
    monkeypatch.setattr(LogBook, "look_up", look_up)
    with ThreadPoolExecutor(1) as executor:
        book = LogBook(KafkaSettings(), writer, executor)
        return await Repairer(load_settings(), writer, executor, book).once()


async def test_a_late_event_leaves_a_minute_whose_raw_events_are_gone(
    client: Client, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1000 stays 1000; the refusal is noted once, and the late event is still listed."""
    store(writer, "ctr_windows", window(1000))
    retention.apply(client, MONTH)
    writer.insert(events.build([FakeRecord(event_record().value, 7, 0, 2**31 * 1000)]), None)
    late = {"account_id": "acc_1", "event": "campaign.impression", "created_at": MINUTE * 1000, "identity": "x"}
    late |= {"window_start": MINUTE, "received_at": 2**31 * 1000, "kafka_partition": 0, "kafka_offset": 7}
    store(writer, "late_in", json.dumps(late | {"reason": "late"}).encode())
    for _ in range(2):
        assert await repair_once(writer, monkeypatch) == 0
        assert impressions(client) == 1000
    assert client.query("SELECT version, refused FROM window_repairs").result_rows == [(8, 1)]
    assert client.command("SELECT count() FROM late_events") == 1


def test_backfill_and_import_keep_what_they_cannot_count(client: Client, writer: Writer, tmp_path: Path) -> None:
    """Backfill says since when it can; an import of what is left of an hour brings the events and keeps the counts."""
    settings = load_settings()
    writer.insert(events.build([event_record()]), None)
    list(TASKS["export"](client, settings, {"folder": str(tmp_path), "start": MINUTE - 3600, "end": MINUTE + 3600}))
    store(writer, "ctr_windows", window(1000))
    retention.apply(client, MONTH)
    with pytest.raises(ConfigError, match="complete only since"):
        list(TASKS["backfill"](client, settings, {"start": MINUTE, "end": MINUTE + 60}))
    *_, last = TASKS["import"](client, settings, {"folder": str(tmp_path)})
    assert last["result"]["windows_kept_before"]
    *_, last = TASKS["forget"](client, settings, {"device": "dev_1"})
    assert (last["result"]["windows_recounted"], last["result"]["windows_kept"]) == (0, 1)
    assert impressions(client) == 1000


def test_a_minute_that_comes_after_its_hour_aged_out_leaves_the_roll_ups(client: Client, writer: Writer) -> None:
    """Roll-ups stay what they were when their minutes were there."""
    with ThreadPoolExecutor(1) as executor:
        roller = Roller(writer, executor, 0.0)
        store(writer, "ctr_windows", window(1000))
        assert roller.roll() == 1
        client.command("TRUNCATE TABLE ctr_windows")
        retention.apply(client, ClickHouseSettings(events_days=30, windows_days=30))
        store(writer, "ctr_windows", window(1, MINUTE + 60))
        assert roller.roll() == 0
    assert [impressions(client, f"ctr_by_campaign_{level}") for level in ("5m", "1h", "1d")] == [1000] * 3


def test_what_was_dropped_does_not_come_back_with_a_longer_retention(client: Client) -> None:
    """Since when a table is complete outlives the setting that dropped the rest."""

    def kept() -> Kept:
        return read_kept(lambda sql: client.query(sql).result_rows)

    assert kept() == Kept()
    retention.apply(client, MONTH)
    before = kept()
    assert before.events > MINUTE
    assert (before.windows, before.rollups) == (0, 0)
    retention.apply(client, ClickHouseSettings(events_days=0))
    assert kept().events >= before.events
    assert kept().countable > kept().events


@pytest.mark.parametrize("kept", [{"events_days": 1}, {"late_days": 2}])
def test_events_that_leave_before_their_recount_are_refused_at_the_start(kept: dict[str, int]) -> None:
    """The error names both settings."""
    with pytest.raises(ValidationError, match=r"clickhouse\..*repair_lookback_s"):
        Settings(clickhouse=ClickHouseSettings(**kept))
    Settings(clickhouse=ClickHouseSettings(events_days=3, late_days=3))
