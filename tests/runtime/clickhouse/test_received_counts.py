"""What arrived, as the health dashboard asks it, is counted beside the events and says what they say."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance.device_rows import ANYWHERE, DeviceRows
from testkit.grafana_panels import panel_sql
from testkit.records import FakeRecord, event_record

END = 1_760_400_000
PANELS = ("Unverified", "Events received")


def delivered(offset: int) -> FakeRecord:
    """Some hours of events of several kinds, an eighth of them without a proof."""
    kind = ("campaign.impression", "campaign.click", "authentication")[offset % 3]
    record = event_record(offset, event=kind, device_id=f"dev_{offset % 5}", identity=f"act_{offset % 240}")
    proven = b"0" if offset % 8 == 0 else b"1"
    headers = [(name, proven if name == "verified" else value) for name, value in record.headers]
    return FakeRecord(record.value, offset, 0, (END - offset * 97) * 1000 + 13, headers)


def answers(client: Client, **settings: Any) -> list[Any]:
    """What the panels show of a week."""
    sqls = [panel_sql("health", name, END - 7 * 86_400, END, interval_s=604) for name in PANELS]
    last = f"SELECT max(received_at) FROM events AS c WHERE toStartOfMinute(c.received_at) >= toDateTime({END - 7200})"  # noqa: S608
    return [sorted(client.query(sql, settings=settings).result_rows) for sql in (*sqls, last)]


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_counts_beside_the_events_say_what_the_events_say(client: Client) -> None:
    """As they come, after merges that drop repeated deliveries, with masked rows, and once these are gone."""
    writer = Writer(lambda: client)
    for first in range(0, 300, 60):
        writer.insert(events.build([delivered(n) for n in range(first, first + 60)]), None)

    def agree(**settings: Any) -> None:
        found = answers(client, **settings)
        assert found == answers(client, optimize_use_projections=0)
        counts.append(sum(row[2] for row in found[1]))

    counts: list[int] = []
    agree(force_optimize_projection=1)
    client.command("OPTIMIZE TABLE events FINAL")
    agree()
    assert DeviceRows(client, "dev_3", ANYWHERE).remove("events") > 0
    agree()
    for statement in ("APPLY PATCHES", "APPLY DELETED MASK"):
        client.command(f"ALTER TABLE events {statement}", settings={"mutations_sync": 2})
    agree()
    assert counts == [300, 240, 192, 192]
