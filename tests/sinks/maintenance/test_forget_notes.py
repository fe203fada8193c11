"""Notes say where a device's events lie; what they miss is forgotten all the same."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from sinks.maintenance import device_rows
from tests.sinks.maintenance.test_forget import agree, fill
from tests.sinks.maintenance.test_tasks import run


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("lost", ["0", "1", "intDiv(toUInt32(created_at), 60) % 2"])
def test_events_that_no_note_knows_are_found(client: Client, lost: str) -> None:
    """A hand-written TTL may have dropped all notes, or some: every event goes, and its windows are counted without."""
    fill(client)
    client.command(f"DELETE FROM device_events WHERE {lost}")  # noqa: S608 - ours
    done = run(client, "forget", device="dev_7")
    assert done["removed"]["events"] == 10
    assert done["windows_recounted"] > 0
    assert client.command("SELECT count() FROM events WHERE device_id = 'dev_7'") == 0
    assert agree(client)


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_noted_events_are_removed_without_a_look_at_the_others(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the values of their keys, hostile ones as well."""
    fill(client)
    asked: list[str] = []
    mask = device_rows.mask
    monkeypatch.setattr(
        device_rows, "mask", lambda c, table, sql: (asked.append(f"{table}: {sql}"), mask(c, table, sql))
    )
    assert run(client, "forget", device="dev_7")["removed"]["events"] == 10
    (events,) = (sql for sql in asked if sql.startswith("events"))
    assert "('acc_1', 'campaign." in events
    assert "fromUnixTimestamp64Milli(" in events
    assert "SELECT" not in events
