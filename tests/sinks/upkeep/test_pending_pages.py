"""Windows that have to wait for their events keep no others from being counted."""

from __future__ import annotations

import json

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events, packed
from sinks.insert.writer import Writer
from sinks.upkeep import pending
from testkit.records import FakeRecord, event_record
from tests.sinks.upkeep.test_kept import MINUTE, impressions, repair_once


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_more_waiting_windows_than_one_look_takes_do_not_stop_younger_ones(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are of a log that somebody else reads and that is not settled."""
    monkeypatch.setattr(pending, "PAGE", 2)
    writer = Writer(lambda: client)
    late = {"account_id": "acc_1", "event": "campaign.impression", "created_at": MINUTE * 1000, "identity": "x"}
    late |= {"received_at": MINUTE * 1000, "kafka_partition": 0, "kafka_offset": 7, "reason": "late"}
    noted = [late | {"window_start": MINUTE - 60 * n, "log": 3} for n in range(1, 6)]
    lines = [json.dumps(row).encode() for row in (*noted, late | {"window_start": MINUTE, "log": 0})]
    writer.insert(packed.builder("late_in")([FakeRecord(b"\n".join(lines))]), None)
    writer.insert(events.build([FakeRecord(event_record().value, 7, 0, 2**31 * 1000)]), None)
    assert await repair_once(writer, monkeypatch) == 1
    assert impressions(client) == 1
    assert await repair_once(writer, monkeypatch) == 0
