"""Retention follows the settings."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from runtime.clickhouse import retention
from runtime.clickhouse.table_ttl import kept_days, ttl_of
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.settings.clickhouse import ClickHouseSettings
from testkit.records import event_record


def test_settings_become_ttls_and_go_again(client: Client) -> None:
    """Applied once, changed once, removed once; the second application finds nothing to do."""
    keep = ClickHouseSettings(events_days=30, alerts_days=400)
    changed = {change.table: change.after for change in retention.apply(client, keep)}
    assert changed == {
        **dict.fromkeys(("events", "identities", "device_events"), 30),
        "alerts": 400,
        **dict.fromkeys(("delivery_attempts", "late", "repetitions", "recount_requests", "quarantine"), 90),
    }
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


BY_HAND = [
    "toDateTime(received_at) + INTERVAL 30 DAY RECOMPRESS CODEC(ZSTD(9)), toDateTime(received_at) + INTERVAL 400 DAY",
    "toDateTime(received_at) + INTERVAL 30 DAY DELETE WHERE NOT verified",
    "toDateTime(created_at) + INTERVAL 2 YEAR",
]


@pytest.mark.parametrize("ttl", BY_HAND)
def test_a_ttl_that_somebody_wrote_by_hand_is_left_alone(client: Client, ttl: str) -> None:
    """Whatever the settings say; others follow them, and it is named."""
    client.command(f"ALTER TABLE events MODIFY TTL {ttl}")
    before = client.command("SELECT engine_full FROM system.tables WHERE name = 'events'")
    for settings in (ClickHouseSettings(events_days=30), ClickHouseSettings()):
        assert "events" not in {change.table for change in retention.apply(client, settings)}
    assert client.command("SELECT engine_full FROM system.tables WHERE name = 'events'") == before
    assert list(retention.hand_written(client)) == ["events"]


@pytest.mark.parametrize(
    ("ttl", "days"),
    [
        ("", 0),
        ("toDateTime(received_at) + toIntervalDay(30)", 30),
        ("received_at + toIntervalDay(7) TO VOLUME 'cold', received_at + toIntervalMonth(2)", 56),
        ("received_at + toIntervalDay(7) TO DISK 'cold'", 0),
        ("received_at + toIntervalDay(9) RECOMPRESS CODEC(ZSTD(9)), received_at + toIntervalYear(1)", 365),
        ("least(a, b) + toIntervalWeek(3) DELETE WHERE x = 1, a + toIntervalDay(30)", 21),
    ],
)
def test_how_long_a_ttl_keeps_rows(ttl: str, days: int) -> None:
    """Only what deletes counts, and months are as short as they may be."""
    assert (
        kept_days(ttl_of(f"MergeTree ORDER BY a TTL {ttl} SETTINGS x = 1" if ttl else "MergeTree ORDER BY a")) == days
    )


def test_windows_must_outlive_the_events_behind_them() -> None:
    """Otherwise every old window would differ from the events."""
    with pytest.raises(ValidationError, match="windows_days"):
        ClickHouseSettings(windows_days=10)
    with pytest.raises(ValidationError, match="windows_days"):
        ClickHouseSettings(windows_days=10, events_days=20)
    ClickHouseSettings(windows_days=20, events_days=20)
    for shorter in ({"rollups_days": 400}, {"rollups_days": 10, "windows_days": 20, "events_days": 20}):
        with pytest.raises(ValidationError, match="rollups_days"):
            ClickHouseSettings(**shorter)
