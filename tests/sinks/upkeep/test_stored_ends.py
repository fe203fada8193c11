"""How far events are stored is told by a few rows, whatever the events are, and never from beyond them."""

from __future__ import annotations

import json

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance.backfill import read_stored
from sinks.maintenance.device_rows import ANYWHERE, DeviceRows
from sinks.upkeep.stored import STORED_SQL
from sori.settings import Settings
from testkit.records import FakeRecord, event_record

PARTITIONS, BATCHES, ROWS = 3, 4, 2000


def batch(number: int) -> list[FakeRecord]:
    """Two logs after another; offsets of a partition in disorder, as slices of a batch come."""
    first = (number ^ 1) * ROWS
    return [event_record(n, n % PARTITIONS, device_id=f"dev_{n % 7}") for n in range(first, first + ROWS)]


def of_events(client: Client) -> dict[tuple[int, int], int]:
    sql = "SELECT kafka_partition, log, toUInt64(max(kafka_offset) + 1) FROM events GROUP BY ALL"
    return {(partition, log): end for partition, log, end in client.query(sql).result_rows}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_ends_are_those_of_the_events_and_cost_no_look_at_them(client: Client) -> None:
    """After every insert, after merges, in a database from before; and where the newest event was forgotten."""
    writer = Writer(lambda: client)
    for number in range(BATCHES):
        writer.insert(events.build(batch(number), 7 if number < BATCHES // 2 else 0), None)
        assert read_stored(client, Settings()).ends == of_events(client)
    asked = json.loads(client.raw_query(STORED_SQL, fmt="JSON"))["statistics"]
    assert asked["rows_read"] <= PARTITIONS * BATCHES
    ends = of_events(client)
    assert len(ends) == 2 * PARTITIONS
    client.command("OPTIMIZE TABLE stored_ends FINAL")
    assert read_stored(client, Settings()).ends == ends
    client.command("TRUNCATE TABLE stored_ends")
    [migration] = [one for one in migrations.load() if one.title == "stored_ends"]
    for _ in range(2):
        for statement in migration.statements():
            client.command(statement)
        assert read_stored(client, Settings()).ends == ends
    newest = max(end for (_, log), end in ends.items() if not log)
    assert DeviceRows(client, f"dev_{(newest - 1) % 7}", ANYWHERE).remove("events")
    assert of_events(client) != ends
    assert read_stored(client, Settings()).ends == ends
