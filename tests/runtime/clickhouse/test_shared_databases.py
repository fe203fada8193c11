"""Tests share databases of one server, and must not notice: what one leaves behind never reaches the next."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import retention
from runtime.clickhouse.client import open_client
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.settings.clickhouse import ClickHouseSettings
from testkit.clickhouse_fixtures import Databases, emptied
from testkit.clickhouse_server import ClickHouseServer
from testkit.records import event_record

#: What a test may do to its schema.
LEFT_BEHIND = (
    "CREATE TABLE own (a Int8) ENGINE = Memory",
    "ALTER TABLE late MODIFY TTL stored_at + toIntervalDay(9)",
    "ALTER TABLE alerts MODIFY SETTING merge_with_ttl_timeout = 1",
    "ALTER TABLE events ADD COLUMN own Int8",
    "CREATE OR REPLACE VIEW ctr_by_campaign AS SELECT 1 AS a",
    "DROP TABLE quarantine",
)


def store(client: Client) -> int:
    """One event, under a token of its own, twice; returns how many rows there are."""
    for _ in range(2):
        Writer(lambda: client).insert(events.build([event_record(0)]), "a token")
    return int(client.command("SELECT count() FROM events"))


def test_a_database_that_was_used_is_as_good_as_new(
    clickhouse_databases: Databases, clickhouse_server: ClickHouseServer
) -> None:
    """No rows are in it, and a block that the test before inserted is no repetition."""
    seen: list[str] = []
    for _ in range(3):
        with clickhouse_databases.one(schema=True) as dsn, open_client(dsn) as client:
            full = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
            assert client.query(full).result_rows == [("schema_migrations",)]
            assert store(client) == 1
            seen.append(dsn)
    assert len(set(seen)) == 1, "it is the same one"

    with clickhouse_databases.one(schema=True) as dsn, open_client(dsn) as client:
        assert retention.apply(client, ClickHouseSettings(events_days=30))
    with open_client(clickhouse_server.dsn) as client:
        assert dsn.rpartition("/")[2] not in client.command("SHOW DATABASES").split(), "its TTLs were changed"


@pytest.mark.parametrize("dsn", ["clickhouse"], indirect=True)
def test_a_schema_that_was_changed_is_told_from_ours(client: Client) -> None:
    """Whatever was changed: such a database is dropped."""
    database = client.command("SELECT currentDatabase()")
    before = emptied(client, database)
    assert emptied(client, database) == before
    for statement in LEFT_BEHIND:
        client.command(statement)
        after = emptied(client, database)
        assert after != before, statement
        before = after
