"""Windows counted again from the raw events."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from api.query.engine import Row
from api.query.verification import verify
from sinks.builders import events, packed
from sinks.consumer.log_book import LogBook
from sinks.insert.writer import Writer
from sinks.upkeep.late_repair import Repairer
from sinks.upkeep.pending import pending_sql
from sinks.upkeep.recount import TABLES, Target, backfill_sql, repair_sql, runs
from sori.settings import load_settings
from sori.topics import CTR_WINDOWS
from streams.state.output import Output, name_log
from testkit.records import FakeRecord, event_record

MINUTE = 1_760_419_500  # 2025-10-14T05:25:00Z


@pytest.fixture
def writer(client: Client) -> Writer:
    """A writer on the test's database."""
    return Writer(lambda: client)


def row(**changes: object) -> dict[str, object]:
    """What the stream says about the dimensions of `event_record`."""
    names = {"account_id": "acc_1", "campaign_id": "cmp_1", "material_id": "", "platform": "Android"}
    place = {"country": "Unknown", "region": "Unknown", "city": "Unknown"}
    counts = {"source_partition": 0, "impressions": 0, "clicks": 0, "suspect_clicks": 0, "version": 0}
    return {"window_start": MINUTE, **names, **place, **counts, **changes}


def store(writer: Writer, table: str, *rows: dict[str, Any]) -> None:
    """Insert NDJSON rows."""
    body = b"\n".join(json.dumps(line).encode() for line in rows)
    writer.insert(packed.builder(table)([FakeRecord(body)]), None)


def device(count: int, **changes: object) -> dict[str, object]:
    """What the stream says about the device of `event_record`: nothing is missing there."""
    counts = {"source_partition": 0, "impressions": count, "clicks": 0, "authentications": 0, "version": count}
    return {"window_start": MINUTE, "account_id": "acc_1", "device_id": "dev_1", **counts, **changes}


def late(offset: int, partition: int = 0, **changes: object) -> dict[str, object]:
    """A row of sori.late."""
    event = {"account_id": "acc_1", "event": "campaign.impression", "created_at": MINUTE * 1000, "identity": "x"}
    place = {"window_start": MINUTE, "received_at": MINUTE * 1000, "kafka_partition": partition, "kafka_offset": offset}
    return {**event, **place, "reason": "late", **changes}


def ask(client: Client, sql: str) -> list[Row]:
    """Rows as dicts."""
    return list(client.query(sql).named_results())


def pending(client: Client) -> list[Target]:
    """What calls for a recount."""
    return [Target(*found) for found in client.query(pending_sql(3600)).result_rows]


def repair(client: Client, targets: list[Target]) -> None:
    """Recount, and note it down as the sink does."""
    for counted in TABLES:
        client.command(repair_sql(counted, targets, 60))
    for t in targets:
        client.insert(
            "window_repairs",
            [[t.window_start, t.account_id, t.source_partition, t.version, t.log]],
            column_names=["window_start", "account_id", "source_partition", "version", "log"],
        )


def differences(client: Client) -> list[Row]:
    """What `sori verify` would print."""
    return verify(lambda sql: ask(client, sql))


def test_a_late_event_calls_for_a_recount_and_then_counts(client: Client, writer: Writer) -> None:
    """The stream counted three of four in its partition; another partition is left alone."""
    writer.insert(events.build([event_record(n) for n in range(4)] + [event_record(n, 1) for n in range(2)]), None)
    store(writer, "ctr_windows", row(impressions=3, version=3), row(impressions=2, source_partition=1, version=2))
    store(writer, "device_windows", device(4), device(2, source_partition=1))
    assert len(differences(client)) == 1
    assert pending(client) == []
    store(writer, "late_in", late(3))
    assert pending(client) == [Target(MINUTE, "acc_1", 0, 4)]
    repair(client, pending(client))
    assert pending(client) == []
    assert differences(client) == []


def test_a_later_stream_row_calls_for_another_recount(client: Client, writer: Writer) -> None:
    """It has seen more, but not the late event: neither is complete, and nothing is added up twice."""
    writer.insert(events.build([event_record(n) for n in range(4)]), None)
    store(writer, "ctr_windows", row(impressions=3, version=3))
    store(writer, "late_in", late(3))
    repair(client, pending(client))
    writer.insert(events.build([event_record(4)]), None)
    store(writer, "ctr_windows", row(impressions=4, version=5))
    store(writer, "device_windows", device(5))
    assert len(differences(client)) == 1
    assert pending(client) == [Target(MINUTE, "acc_1", 0, 5)]
    repair(client, pending(client))
    assert (differences(client), pending(client)) == ([], [])


def test_offsets_of_another_log_say_nothing_about_what_is_newer(client: Client, writer: Writer) -> None:
    """A window that was open when offsets started again: both logs' rows add up, and each is recounted for itself."""
    writer.insert(events.build([event_record(n) for n in range(90, 94)]), None)
    store(writer, "ctr_windows", row(impressions=4, version=94))
    writer.insert(events.build([event_record(n) for n in range(3)], 7), None)
    store(writer, "ctr_windows", row(impressions=2, version=2, log=7))
    store(writer, "device_windows", device(4, version=94), device(3, log=7))
    assert client.command("SELECT sum(impressions) FROM ctr_by_minute") == 6
    store(writer, "late_in", late(2, log=7))
    assert pending(client) == [Target(MINUTE, "acc_1", 0, 3, 7)]
    repair(client, pending(client))
    assert (differences(client), pending(client)) == ([], [])
    store(writer, "ctr_windows", row(impressions=0, version=0, log=7))
    for counted in TABLES:
        client.command(backfill_sql(counted, MINUTE, MINUTE + 60, 60))
    assert differences(client) == []
    assert client.command("SELECT sum(impressions) FROM ctr_by_minute") == 7


def test_rows_of_the_log_from_before_the_upgrade_join_those_that_name_none(client: Client, writer: Writer) -> None:
    """The stream's cumulative row takes the place of the one that it wrote before; other logs' rows stay apart."""
    store(writer, "ctr_windows", row(impressions=4, version=94))
    output = Output(CTR_WINDOWS, b"\n".join(json.dumps(row(impressions=n, version=90 + n)).encode() for n in (5, 6)))
    for log in (0xFFFFFFFF, 0xFFFFFFF):
        [named] = name_log([output], log)
        insert = packed.builder("ctr_windows")([FakeRecord(named.value)])
        writer.insert(packed.unname(insert, [0xFFFFFFFF]), None)
    assert ask(client, "SELECT log, impressions FROM ctr_windows FINAL ORDER BY log") == [
        {"log": 0, "impressions": 6},
        {"log": 0xFFFFFFF, "impressions": 6},
    ]


def test_another_late_event_calls_for_another_recount(client: Client, writer: Writer) -> None:
    """Also when it is for other dimensions of the same window."""
    writer.insert(events.build([event_record(n) for n in range(4)]), None)
    store(writer, "ctr_windows", row(impressions=3, version=3))
    store(writer, "late_in", late(3))
    repair(client, pending(client))
    writer.insert(events.build([event_record(4, campaign={"id": "cmp_2"})]), None)
    store(writer, "late_in", late(4))
    assert pending(client) == [Target(MINUTE, "acc_1", 0, 5)]
    repair(client, pending(client))
    assert (differences(client), pending(client)) == ([], [])


def test_a_late_duplicate_changes_nothing(client: Client, writer: Writer) -> None:
    """A delivery repeated after the window closed is late, and no second event."""
    again = event_record(9, identity="act_0_0")
    writer.insert(events.build([event_record(0), again]), None)
    store(writer, "ctr_windows", row(impressions=1, version=1))
    store(writer, "late_in", late(9))
    repair(client, pending(client))
    assert client.command("SELECT impressions FROM ctr_by_minute") == 1
    assert pending(client) == []


def test_devices_are_recounted_too(client: Client, writer: Writer) -> None:
    """Authentications as well, which CTR windows do not know."""
    login = event_record(0, event="authentication", campaign=None, created_at="2025-10-14T05:25:40Z")
    writer.insert(events.build([login, event_record(1)]), None)
    store(writer, "late_in", late(0, event="authentication"))
    repair(client, pending(client))
    query = "SELECT impressions, clicks, authentications FROM device_by_minute"
    assert client.query(query).result_rows == [(1, 0, 1)]
    assert pending(client) == []


def test_a_backfill_makes_windows_from_events_alone(client: Client, writer: Writer) -> None:
    """After a restore there are raw events and no windows; and windows without events become zero."""
    records = [event_record(n, n % 3, created_at=f"2025-10-14T05:{25 + n % 4}:00Z") for n in range(60)]
    clicks = [event_record(n, event="campaign.click") for n in range(100, 110)]
    writer.insert(events.build([*records, *clicks]), None)
    store(
        writer,
        "ctr_windows",
        row(impressions=7, version=3, city="Nowhere"),
        row(impressions=1, version=9, suspect_clicks=2),
    )
    counted = Counter((MINUTE + n % 4 * 60, n % 3) for n in range(60))
    seen = [device(n, window_start=start, source_partition=part, version=999) for (start, part), n in counted.items()]
    store(writer, "device_windows", *seen, device(5, clicks=10, version=1000))
    assert len(differences(client)) == 5
    for counted in TABLES:
        client.command(backfill_sql(counted, MINUTE, MINUTE + 3600, 60))
    assert differences(client) == []
    assert client.command("SELECT sum(impressions), sum(clicks), sum(suspect_clicks) FROM ctr_by_minute") == [
        "60",
        "10",
        "2",
    ]
    assert client.command("SELECT sum(impressions) FROM ctr_by_device") == 60


def test_a_backfill_leaves_other_windows_alone(client: Client, writer: Writer) -> None:
    """It recounts what begins inside its bounds."""
    writer.insert(events.build([event_record(0), event_record(1, created_at="2025-10-14T05:26:00Z")]), None)
    client.command(backfill_sql(TABLES[0], MINUTE + 60, MINUTE + 120, 60))
    assert client.query("SELECT toUnixTimestamp(minute) FROM ctr_by_minute").result_rows == [(MINUTE + 60,)]


def test_a_late_event_of_when_windows_were_shorter_recounts_the_window_that_it_was_in(
    client: Client, writer: Writer
) -> None:
    """Windows are five minutes long by now: counted by that, the minute would be all five."""
    writer.insert(events.build([event_record(n) for n in range(4)]), None)
    later = [event_record(n, created_at="2025-10-14T05:26:30Z") for n in range(4, 9)]
    writer.insert(events.build(later), None)
    store(writer, "ctr_windows", row(impressions=4, version=4), row(impressions=5, version=9, window_start=MINUTE + 60))
    store(writer, "late_in", late(9, window_s=60))
    [target] = pending(client)
    assert (target.window_start, target.window_s) == (MINUTE, 60)
    settings = load_settings(streams={"window_s": 300, "lateness_s": 7200, "place_lateness_s": 7200})
    with ThreadPoolExecutor(1) as executor:
        Repairer(settings, writer, executor, LogBook(settings.kafka, writer, executor))._recount([target], 0)
    assert ask(client, "SELECT toUnixTimestamp(minute) AS m, impressions FROM ctr_by_minute ORDER BY m") == [
        {"m": MINUTE, "impressions": 4},
        {"m": MINUTE + 60, "impressions": 5},
    ]


def test_a_stream_row_that_the_recount_overtook_calls_for_another(client: Client, writer: Writer) -> None:
    """The event was stored, found to be a repetition and recounted before the stream told of it, under its own key."""
    writer.insert(events.build([event_record(n) for n in range(4)]), None)
    store(writer, "ctr_windows", row(impressions=3, version=3))
    store(writer, "late_in", late(9))
    repair(client, pending(client))
    store(writer, "ctr_windows", row(impressions=1, version=10, city="Elsewhere"))
    assert pending(client) == [Target(MINUTE, "acc_1", 0, 10)]
    repair(client, pending(client))
    store(writer, "ctr_windows", row(impressions=1, version=7, city="Nowhere"))
    repair(client, pending(client))
    assert (differences(client), pending(client)) == ([], [])


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=120), st.sampled_from([10, 60]))
def test_stretches_hold_every_window_and_few_others(numbers: list[int], window_s: int) -> None:
    """In order, apart, and the longest gaps are left out: an old and a new window do not have all between them read."""
    starts = [MINUTE + number * window_s for number in numbers]
    found = runs(starts, window_s)
    assert all(any(first <= start and start + window_s <= end for first, end in found) for start in starts)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(found))
    assert len(found) <= 51
    if len(set(starts)) <= 51:
        assert sum(end - first for first, end in found) == len(set(starts)) * window_s
