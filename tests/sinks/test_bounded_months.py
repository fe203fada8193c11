"""No clock pins a name or makes a partition for every month that there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from ingest.admission.reading_policy import reading_policy
from sinks.builders import events, packed, quarantine
from sinks.insert.failures import Rejected
from sinks.insert.writer import Writer
from sori.errors import EventError
from sori.reading import read
from sori.settings.ingest import IngestSettings
from testkit.records import FakeRecord, body, event_record

ROWS = 600


def spread(number: int) -> datetime:
    """Over all times that a DateTime knows."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number * 136 * 365 // ROWS)


def parts(client: Client, table: str) -> int:
    """All of them, merges being off."""
    query = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = {t:String}"
    return int(client.query(query, parameters={"t": table}).result_rows[0][0])


def unmerged(client: Client, table: str) -> None:
    client.command(f"ALTER TABLE {table} MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")


def test_events_that_are_admitted_make_a_bounded_number_of_parts(client: Client) -> None:
    """A proven sender with mad clocks: months from 2000 to now in one insert, and never more."""
    policy, settings = reading_policy(IngestSettings(secret_keys="s")), IngestSettings(secret_keys="s")
    latest = datetime.now(UTC) + timedelta(seconds=settings.max_clock_skew_s)
    admitted = []
    for number in range(ROWS):
        stamp = f"{spread(number):%Y-%m-%dT%H:%M:%SZ}"
        try:
            read(body(created_at=stamp), policy)
        except EventError:
            continue
        if spread(number) <= latest:
            admitted.append(event_record(number, created_at=stamp))
    assert 0 < len(admitted) < ROWS / 3
    unmerged(client, "events")
    Writer(lambda: client).insert(events.build(admitted), None)
    assert client.command("SELECT count() FROM events_current") == len(admitted)
    assert parts(client, "events") <= 12 * (latest.year - 1999)


def test_times_of_receipt_of_another_producer_make_few_parts(client: Client) -> None:
    """Late notes and quarantine: what is years away was not received then."""
    writer = Writer(lambda: client)
    for table in ("late", "quarantine"):
        unmerged(client, table)
    letters = [
        FakeRecord(b"{", n, headers=[("received_at", b"%d" % int(spread(n).timestamp() * 1000))]) for n in range(ROWS)
    ]
    writer.insert(quarantine.build(letters), None)
    late = {"account_id": "a", "event": "campaign.click", "created_at": 1, "identity": "i", "window_start": 60}
    late |= {"kafka_partition": 0, "reason": "late"}
    lines = [
        json.dumps(late | {"kafka_offset": n, "received_at": int(spread(n).timestamp() * 1000)}).encode()
        for n in range(ROWS)
    ]
    writer.insert(packed.builder("late_in")([FakeRecord(b"\n".join(lines))]), None)
    for table in ("late", "quarantine"):
        assert client.command(f"SELECT count() FROM {table}") == ROWS  # noqa: S608 - ours
        assert parts(client, table) <= 26


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        ("session_records", {"account_id": "a", "session": "s", "device_id": "d"}, "at"),
        ("delivery_attempts", {"subscription_id": "s", "webhook_id": "w"}, "attempted_at"),
    ],
)
def test_rows_of_another_age_are_refused_by_name(client: Client, table: str, row: dict[str, str], column: str) -> None:
    """So the sink quarantines them, and their months never are."""
    writer = Writer(lambda: client)
    for moment in ("1999-12-31T23:59:59.999Z", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%S.000Z}"):
        with pytest.raises(Rejected, match="to_tomorrow"):
            writer.insert(packed.builder(table)([FakeRecord(json.dumps(row | {column: moment}).encode())]), None)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    writer.insert(packed.builder(table)([FakeRecord(json.dumps(row | {column: now}).encode())]), None)
    assert client.command(f"SELECT count() FROM {table}") == 1  # noqa: S608 - ours


def test_a_clock_in_the_future_does_not_pin_a_name(client: Client) -> None:
    """Neither a campaign's nor a material's: it speaks for when it came, and the next event speaks after it."""
    for number, (created, name) in enumerate([("2090-01-01T00:00:00Z", "Pinned"), ("2025-10-14T05:40:00Z", "New")]):
        record = event_record(
            number,
            created_at=created,
            campaign={"id": "cmp_1", "name": name, "tags": [name]},
            material={"id": "mat_1", "name": name, "tags": [name]},
        )
        later = FakeRecord(record.value, number, 0, 1_760_419_513_000 + number * 900_000, record.headers)
        Writer(lambda: client).insert(events.build([later]), token="")
    for view in ("campaigns", "materials"):
        [(name, last_seen)] = client.query(f"SELECT name, last_seen FROM {view}").result_rows  # noqa: S608 - ours
        assert name == "New"
        assert last_seen.year == 2025
