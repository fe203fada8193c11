"""What arrived, as the health dashboard asks it, is counted beside the events and says what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.live.sql import live
from api.query.slice import asked_slice
from deploy.grafana.builder.alerting import RULES
from runtime.clickhouse import migrations
from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance.device_rows import ANYWHERE, DeviceRows
from sinks.maintenance.forget import forget
from sori.settings import load_settings
from testkit.grafana_panels import panel_sql
from testkit.records import FakeRecord, event_record
from testkit.wait import wait_until

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


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.parametrize("then", ["MATERIALIZE INDEX received", "APPLY PATCHES"])
async def test_counts_come_back_once_a_device_is_forgotten(client: Client, then: str) -> None:
    """Also where another mutation follows (a new retention, an index): it made counts of nothing of all the others."""
    # parts as those of many events are, and housekeeping as soon as there is a part that nobody needs
    changed = "min_bytes_for_wide_part = 0, merge_tree_clear_old_parts_interval_seconds = 0"
    client.command(f"ALTER TABLE events MODIFY SETTING {changed}")
    Writer(lambda: client).insert(events.build([delivered(n) for n in range(300)]), None)
    client.command("OPTIMIZE TABLE events FINAL")
    *_, last = forget(client, load_settings(), {"device": "dev_3"})
    assert last["result"]["removed"]["events"] > 0
    client.command(f"ALTER TABLE events {then}", settings={"mutations_sync": 2})

    for statement in ("DETACH", "ATTACH"):
        client.command(f"{statement} TABLE events")
    left = "SELECT countIf(startsWith(name, 'patch-')) FROM system.parts WHERE active AND table = 'events'"
    await wait_until(lambda: not client.command(left), 60, what="the patch is put away")
    found = answers(client, force_optimize_projection=1)
    assert found == answers(client, optimize_use_projections=0)
    assert sum(row[2] for row in found[1]) == 192


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_what_came_last_is_known_without_the_events(client: Client) -> None:
    """On the console's first page, in Grafana, where masked rows are not settled yet, and in a database from before."""
    Writer(lambda: client).insert(events.build([delivered(n) for n in range(300)]), None)
    client.command("SYSTEM STOP MERGES events")
    list(forget(client, load_settings(), {"device": "dev_3"}))
    pulse = live(asked_slice({"range": ["30d"]}, datetime.fromtimestamp(END, UTC)), 20)["pulse"]
    [migration] = [one for one in migrations.load() if one.title == "received_ends"]
    [rule] = [rule for rule in RULES if rule.uid == "sori-no-events"]
    for statements in ((), ("TRUNCATE TABLE received_ends", *migration.statements())):
        for statement in statements:
            client.command(statement)
        [row] = client.query(pulse).named_results()
        assert row["last_received_ms"] == END * 1000 + 13
        for sql in (panel_sql("health", "Freshness", END - 60, END), rule.sql):
            read = json.loads(client.raw_query(sql, fmt="JSON"))
            assert read["statistics"]["rows_read"] <= 2, sql
            assert read["data"][0]["age"] > 1_000_000
