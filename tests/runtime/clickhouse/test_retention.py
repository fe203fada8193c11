"""Retention follows the settings."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from runtime.clickhouse import retention
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.settings.clickhouse import ClickHouseSettings
from testkit.records import event_record


def test_settings_become_ttls_and_go_again(client: Client) -> None:
    """Applied once, changed once, removed once; the second application finds nothing to do."""
    keep = ClickHouseSettings(events_days=30, alerts_days=400)
    changed = {change.table: change.after for change in retention.apply(client, keep)}
    assert changed == {"events": 30, "alerts": 400, "delivery_attempts": 90, "late": 90, "quarantine": 90}
    assert retention.apply(client, keep) == []
    assert retention.days_of(client, "events") == 30
    for_ever = ClickHouseSettings(attempts_days=0, late_days=0, quarantine_days=0)
    assert {change.after for change in retention.apply(client, for_ever)} == {0}
    assert retention.days_of(client, "events") == 0


def test_rows_older_than_that_leave_whole_parts(client: Client) -> None:
    """Age counts from receipt, not from what a device's clock said."""
    old, new = event_record(0), event_record(1, created_at="2025-10-14T05:25:12Z")
    Writer(lambda: client).insert(events.build([old]), None)
    fresh = events.build([new])
    fresh.columns[1][0] = 4_000_000_000_000
    Writer(lambda: client).insert(fresh, None)
    retention.apply(client, ClickHouseSettings(events_days=30))
    client.command("ALTER TABLE events MATERIALIZE TTL SETTINGS mutations_sync = 1")
    client.command("OPTIMIZE TABLE events FINAL")
    assert client.query("SELECT identity FROM events").result_rows == [("act_0_1",)]


def test_windows_must_outlive_the_events_behind_them() -> None:
    """Otherwise every old window would differ from the events."""
    with pytest.raises(ValidationError, match="windows_days"):
        ClickHouseSettings(windows_days=10)
    with pytest.raises(ValidationError, match="windows_days"):
        ClickHouseSettings(windows_days=10, events_days=20)
    ClickHouseSettings(windows_days=20, events_days=20)
