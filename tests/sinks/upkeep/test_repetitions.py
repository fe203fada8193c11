"""Repetitions are found as they arrive: what wins, is covered, is looked at again, and what a crash leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from runtime.clickhouse import retention
from sinks.builders import events
from sinks.insert.failures import Unavailable
from sinks.insert.writer import Writer
from sinks.maintenance.tasks import TASKS
from sinks.upkeep import repetition_sql
from sinks.upkeep.repetitions import Repetitions
from sori.settings import load_settings
from sori.settings.clickhouse import ClickHouseSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.state.policy import TimePolicy
from testkit.embedded_pipeline import EmbeddedPipeline
from testkit.records import FakeRecord, event_record

ID = "act_1"
EARLY, LATER = "2025-10-14T05:25:12.421Z", "2025-10-14T05:31:00Z"


@pytest.fixture
def writer(client: Client) -> Writer:
    """A writer on the test's database."""
    return Writer(lambda: client)


def delivery(offset: int, received: int, created: str = EARLY, partition: int = 0, **changes: object) -> FakeRecord:
    """A delivery of the one event, `received` seconds after a fixed moment."""
    record = event_record(offset, partition, identity=ID, created_at=created, **changes)
    return FakeRecord(record.value, offset, partition, 1_760_419_513_000 + received * 1000, record.headers)


def store(writer: Writer, *records: FakeRecord) -> None:
    """One insert."""
    writer.insert(events.build(records), None)


def visible(client: Client) -> list[tuple[int, int]]:
    """Partition and offset of what readers see."""
    query = "SELECT kafka_partition, kafka_offset FROM events_current ORDER BY 1, 2"
    return [tuple(row) for row in client.query(query).result_rows]


def noted(client: Client) -> list[tuple[int, bool]]:
    """Offsets whose windows are counted again, and whether they were received first."""
    query = "SELECT kafka_offset, first_received FROM repetitions FINAL ORDER BY kafka_offset"
    return [tuple(row) for row in client.query(query).result_rows]


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_the_first_received_stays_whatever_comes_when(
    client: Client, writer: Writer, order: tuple[int, ...], *, apart: bool
) -> None:
    """Three deliveries of three created_at in one insert or in three; merged or not, and again after merges."""
    times = {1: EARLY, 2: LATER, 3: "2025-10-14T04:00:00Z"}
    records = [delivery(offset, offset, times[offset], partition=offset % 2) for offset in order]
    for batch in [[record] for record in records] if apart else [records]:
        store(writer, *batch)
        Repetitions(writer, 60).find()
    assert visible(client) == [(1, 1)]
    client.command("OPTIMIZE TABLE events FINAL")
    assert visible(client) == [(1, 1)]
    assert {2, 3} <= {offset for offset, _ in noted(client)}


def test_a_retry_as_sori_sends_it_is_nothing_to_look_at(client: Client, writer: Writer) -> None:
    """Same time, same partition, in order: windows dropped it, and `events` merges it."""
    store(writer, delivery(1, 1), delivery(2, 2))
    store(writer, delivery(3, 3), event_record(4))
    assert Repetitions(writer, 60).find() == 0
    assert noted(client) == []
    assert (0, 1) in visible(client)


@pytest.mark.parametrize(
    "second",
    [
        {"partition": 1},
        {"received": -5, "platform": "iOS"},
        {"created": LATER},
    ],
    ids=["another partition", "received before it", "another time"],
)
def test_every_other_kind_has_its_windows_counted_again(client: Client, writer: Writer, second: dict[str, Any]) -> None:
    """Each was, or may have been, counted by a stream that could not know the other."""
    store(writer, delivery(1, 1))
    Repetitions(writer, 60).find()
    store(writer, delivery(2, **{"received": 2, **second}))
    Repetitions(writer, 60).find()
    assert 2 in [offset for offset, _ in noted(client)]
    assert len(visible(client)) == 1


def test_an_event_and_another_of_its_name_stay_two(client: Client, writer: Writer) -> None:
    """A click has its impression's activity_id; another account may have it too."""
    click = event_record(2, identity=ID, event="campaign.click", created_at=LATER)
    store(writer, delivery(1, 1), click)
    assert Repetitions(writer, 60).find() == 0
    assert len(visible(client)) == 2


def test_a_block_inserted_again_changes_nothing(client: Client, writer: Writer) -> None:
    """The sink repeats an insert whose fate it does not know, before or after the look-up."""
    for _ in range(2):
        store(writer, delivery(1, 1), delivery(2, 2, LATER))
        Repetitions(writer, 60).find()
        store(writer, delivery(2, 2, LATER))
        Repetitions(writer, 60).find()
        assert visible(client) == [(0, 1)]


class Broken:
    """A database that stops answering after so many statements."""

    def __init__(self, writer: Writer, statements: int) -> None:
        self._writer, self._left = writer, statements

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """As the writer."""
        return self._writer.rows(sql)

    def execute(self, sql: str) -> None:
        """As the writer, for a while."""
        self._left -= 1
        if self._left < 0:
            raise Unavailable("gone")
        self._writer.execute(sql)


class Shared(Broken):
    """A database in which somebody else takes what arrives, as soon as this one looks up what it took."""

    def execute(self, sql: str) -> None:
        """As the writer, which the other one uses too."""
        super().execute(sql)
        if "INSERT INTO repetitions" in sql:
            self._writer.execute("INSERT INTO identities_fresh SELECT * FROM identity_arrivals")
            self._writer.execute("TRUNCATE TABLE identity_arrivals")


def test_what_somebody_else_took_meanwhile_is_looked_up_too(client: Client, writer: Writer) -> None:
    """An import looks up beside the sinks: what one takes while the other moves on must not count as known."""
    store(writer, delivery(1, 1))
    Repetitions(writer, 60)._move("identity_arrivals", "identities_fresh")
    store(writer, delivery(2, 2, LATER, partition=1))
    assert Repetitions(Shared(writer, 99), 60).find() == 1
    assert visible(client) == [(0, 1)]


@pytest.mark.parametrize("statements", range(4))
def test_whoever_comes_after_a_crash_finds_the_same(client: Client, writer: Writer, statements: int) -> None:
    """It breaks off after each of the steps: taking, finding, covering, putting away."""
    store(writer, delivery(1, 1), delivery(2, 2, LATER))
    with pytest.raises(Unavailable):
        Repetitions(Broken(writer, statements), 60).find()
    store(writer, delivery(3, 3, "2025-10-14T04:00:00Z"))
    for _ in range(2):
        Repetitions(writer, 60).find()
    assert visible(client) == [(0, 1)]
    assert noted(client) == [(1, True), (2, False), (3, False)]


def test_many_keys_are_looked_up_in_ranges(client: Client, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long pause memory stays bounded, and no key falls between two ranges."""
    monkeypatch.setattr(repetition_sql, "AT_ONCE", 7)
    store(writer, *[event_record(n) for n in range(100)])
    store(writer, *[event_record(n + 100, 1, identity=f"act_0_{n}", created_at=LATER) for n in range(100)])
    assert Repetitions(writer, 60).find() == 100
    assert visible(client) == [(0, n) for n in range(100)]


def test_verify_finds_what_nobody_repaired(client: Client, writer: Writer) -> None:
    """Two rows of one event that windows counted twice agree with each other, and are wrong all the same."""
    store(writer, delivery(1, 1), delivery(2, 2, LATER, partition=1))
    list(TASKS["backfill"](client, load_settings(), {"start": 1_760_418_000, "end": 1_760_421_600}))

    def found() -> list[tuple[str, str]]:
        rows = verify(lambda sql: list(client.query(sql).named_results()))
        return [(row["check"], row["account_id"]) for row in rows]

    assert found() == [("repetitions", "acc_1")]
    Repetitions(writer, 60).find()
    assert found() == [("windows", "acc_1"), ("devices", "acc_1")]


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("lost", ["both", "the second", "only the look-up"])
def test_a_backfill_has_what_was_never_noted_looked_up(client: Client, writer: Writer, lost: str) -> None:
    """A kill left the views without rows; `sori verify` says so, `sori backfill` and running sinks put it right."""
    store(writer, delivery(1, 1), event_record(7))
    if lost == "the second":
        Repetitions(writer, 60).find()
    store(writer, delivery(2, 2, LATER, partition=1))
    if lost == "only the look-up":
        client.command("INSERT INTO identities SELECT * FROM identity_arrivals")
    client.command("TRUNCATE TABLE identity_arrivals")
    span = {"start": 1_760_418_000, "end": 1_760_421_600}

    def found() -> set[str]:
        return {row["check"] for row in verify(lambda sql: list(client.query(sql).named_results()))}

    Repetitions(writer, 60).find()
    assert "repetitions" in found()
    list(TASKS["backfill"](client, load_settings(), span))
    assert Repetitions(writer, 60).find() == 1
    assert "repetitions" not in found()
    assert visible(client) == [(0, 1), (0, 7)]
    list(TASKS["backfill"](client, load_settings(), span))
    assert found() == set()
    assert client.command("SELECT count() FROM identity_arrivals") == 0, "what is right is not looked up again"


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("ahead_s", [-7200, 299])
async def test_a_repetition_whose_cover_expired_first_changes_no_number(
    client: Client, writer: Writer, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    """Parts leave as wholes, so the cover may be gone while the row that lost is there: of a time that nobody counts.

    It is as old as its cover, and no clock was further ahead of its receipt than admission lets it.
    """
    received = int(client.command("SELECT toUnixTimestamp(now())")) - 30 * 86_400 - 1
    created = [iso((received + ahead) * 1000) for ahead in (-3600, ahead_s)]
    deliveries = [
        FakeRecord(record.value, record.offset, 0, (received + record.offset - 2) * 1000, record.headers)
        for record in (delivery(n, n, at) for n, at in enumerate(created, 1))
    ]
    store(writer, *deliveries)
    assert Repetitions(writer, 60).find() == 1
    pipeline = EmbeddedPipeline(client, TimePolicy.of(StreamsSettings()), first_offset=1000)
    await pipeline.settle(monkeypatch)
    before = client.query("SELECT * FROM ctr_by_minute ORDER BY ALL").result_rows
    assert before
    retention.apply(client, ClickHouseSettings(events_days=30))
    client.command("ALTER TABLE events DELETE WHERE repeated", settings={"mutations_sync": 2})
    assert visible(client) == [(0, 1), (0, 2)]
    assert verify(lambda sql: list(client.query(sql).named_results())) == []
    assert await pipeline.upkeep(monkeypatch) == 0
    assert client.query("SELECT * FROM ctr_by_minute ORDER BY ALL").result_rows == before


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("imported_first", [False, True])
async def test_an_import_brings_no_event_twice(
    client: Client, writer: Writer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, imported_first: bool
) -> None:
    """What another database has of an event that is here too; whichever was received first wins."""
    here, there = (delivery(1, 1), delivery(2, 2, LATER, 1))[:: -1 if imported_first else 1]
    span = {"start": 1_760_418_000, "end": 1_760_421_600}
    store(writer, there, event_record(9, 1, created_at=LATER))
    list(TASKS["export"](client, load_settings(), {"folder": str(tmp_path), **span}))
    for table in ("events", "identity_arrivals"):
        client.command(f"TRUNCATE TABLE {table}")
    store(writer, here)
    Repetitions(writer, 60).find()
    list(TASKS["backfill"](client, load_settings(), span))
    pipeline = EmbeddedPipeline(client, TimePolicy.of(StreamsSettings()), first_offset=1000)
    for _ in range(2):
        list(TASKS["import"](client, load_settings(), {"folder": str(tmp_path)}))
        assert visible(client) == [(0, 1), (1, 9)]
        await pipeline.settle(monkeypatch)
        assert verify(lambda sql: list(client.query(sql).named_results())) == []
        assert client.command("SELECT sum(impressions) FROM ctr_by_minute") == 2


def test_identities_age_as_the_events_do(client: Client) -> None:
    """A look-up never knows more, nor less, than the events."""
    retention.apply(client, ClickHouseSettings(events_days=30))
    assert retention.days_of(client, "identities") == 30
