"""Repetitions are found as they arrive: what wins, is covered, is looked at again, and what a crash leaves."""

from __future__ import annotations

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
    list(TASKS["backfill"](client, load_settings(), {"start": 1_760_400_000, "end": 1_760_480_000}))

    def found() -> list[tuple[str, str]]:
        rows = verify(lambda sql: list(client.query(sql).named_results()))
        return [(row["check"], row["account_id"]) for row in rows]

    assert found() == [("repetitions", "acc_1")]
    Repetitions(writer, 60).find()
    assert found() == [("windows", "acc_1"), ("devices", "acc_1")]


def test_identities_age_as_the_events_do(client: Client) -> None:
    """A look-up never knows more, nor less, than the events."""
    retention.apply(client, ClickHouseSettings(events_days=30))
    assert retention.days_of(client, "identities") == 30
