"""Notes say where a device's events lie; what they miss is forgotten all the same."""

from __future__ import annotations

import random

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance import device_rows, forget
from sori.settings import load_settings
from testkit.records import event_record
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


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("window_s", [60, 300])
def test_windows_of_named_events_are_those_that_the_statement_finds(client: Client, window_s: int) -> None:
    """They are noted by either, as there are few events or many."""
    rng = random.Random(window_s)
    names = ("campaign.click", "campaign.impression", "authentication", "material.updated")
    records = [
        event_record(
            n,
            rng.randrange(3),
            device_id=f"dev_{rng.randrange(3)}",
            event=rng.choice(names),
            created_at=f"2025-10-14T0{rng.randrange(3, 6)}:{rng.randrange(60):02}:59.999Z",
        )
        for n in range(200)
    ]
    Writer(lambda: client).insert(events.build(records), None)
    settings = load_settings(streams={"window_s": window_s})
    for device in ("dev_0", "dev_1", "nobody"):
        known = device_rows.near(client, device)
        assert known is not None
        sql = forget._touched_sql(settings, device_rows.NOTED)
        found = client.query(
            f"SELECT toUnixTimestamp(window_start), toString(account_id), source_partition, log FROM ({sql})",  # noqa: S608 - ours
            parameters={"device": device},
        ).result_rows
        assert forget._touched(known, window_s) == sorted(found)
        assert bool(found) == (device != "nobody")


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("named", [3, 500])
def test_many_events_go_as_few_do(client: Client, monkeypatch: pytest.MonkeyPatch, named: int) -> None:
    """Whose events are too many to be named is forgotten by statements."""
    fill(client)
    monkeypatch.setattr(device_rows, "_CHUNK", named)
    assert (device_rows.near(client, "dev_7") is None) == (named == 3)
    done = run(client, "forget", device="dev_7")
    assert done["removed"]["events"] == 10
    assert done["windows_recounted"] == 5  # two events in each
    assert agree(client)
