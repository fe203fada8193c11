"""Retention follows the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import ValidationError

from runtime.clickhouse import migrations, retention
from runtime.clickhouse.client import open_client
from runtime.clickhouse.kept import read_kept
from runtime.clickhouse.table_ttl import Keeping, clause, kept_days, ttl_of
from sinks.builders import events
from sinks.insert.writer import Writer
from sori.settings.clickhouse import ClickHouseSettings
from testkit.clickhouse_server import ClickHouseServer
from testkit.records import event_record


def test_settings_become_ttls_and_go_again(client: Client) -> None:
    """Applied once, changed once, removed once; the second application finds nothing to do."""
    keep = ClickHouseSettings(events_days=30, alerts_days=400)
    changed = {change.table: change.after for change in retention.apply(client, keep)}
    assert changed == {
        **dict.fromkeys(("events", "identities", "device_events"), 30),
        **dict.fromkeys(("alerts", "incidents", "incident_of_alert"), 400),
        **dict.fromkeys(
            ("delivery_attempts", "late", "repetitions", "recount_requests", "field_notes", "quarantine"), 90
        ),
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
    retention.apply(client, ClickHouseSettings(events_days=20))
    client.command(f"ALTER TABLE events MODIFY TTL {ttl}")
    before = client.command("SELECT engine_full FROM system.tables WHERE name = 'events'")
    for settings in (ClickHouseSettings(events_days=30), ClickHouseSettings()):
        assert "events" not in {change.table for change in retention.apply(client, settings)}
    assert client.command("SELECT engine_full FROM system.tables WHERE name = 'events'") == before
    assert list(retention.hand_written(client)) == ["events"]
    client.command("ALTER TABLE events REMOVE TTL")
    assert "events" in {change.table for change in retention.apply(client, ClickHouseSettings(events_days=30))}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_ttl_that_looks_like_ours_is_told_from_it(client: Client) -> None:
    """What we applied is written down; a number of days that somebody else wrote is not ours."""
    retention.apply(client, ClickHouseSettings(events_days=20))
    for ttl in ("+ toIntervalDay(9)", "+ toIntervalDay(9) TO DISK 'default'"):
        client.command(f"ALTER TABLE events MODIFY TTL toDateTime(received_at) {ttl}")
        for days in (0, 20, 30):
            assert "events" not in {c.table for c in retention.apply(client, ClickHouseSettings(events_days=days))}
        assert retention.hand_written(client) == {"events": f"toDateTime(received_at) {ttl}"}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_an_application_that_broke_off_is_finished_by_the_next(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a table was changed, or after: what is there is still known as ours."""
    retention.apply(client, ClickHouseSettings(events_days=20))
    monkeypatch.setattr(retention, "_change", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        retention.apply(client, ClickHouseSettings(events_days=30))
    monkeypatch.undo()
    assert retention.hand_written(client) == {}
    client.command("ALTER TABLE events MODIFY TTL toDateTime(received_at) + toIntervalDay(30)")
    assert retention.hand_written(client) == {}
    changed = {change.table: change.after for change in retention.apply(client, ClickHouseSettings(events_days=40))}
    assert changed["events"] == 40


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_ttl_of_an_earlier_release_is_ours(client: Client) -> None:
    """Which wrote down nothing: a plain number of days follows the settings, anything else is somebody's."""
    client.command("ALTER TABLE events MODIFY TTL toDateTime(received_at) + INTERVAL 30 DAY")
    client.command("ALTER TABLE device_events MODIFY TTL toDateTime(received_at) + INTERVAL 1 MONTH")
    changed = {change.table: change.after for change in retention.apply(client, ClickHouseSettings(events_days=60))}
    assert changed["events"] == 60
    assert list(retention.hand_written(client)) == ["device_events"]


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_each_level_of_roll_ups_is_kept_as_long_as_it_says(client: Client) -> None:
    """Five minutes for a while, hours for longer, days for ever; what is old of one level goes, of others it stays."""
    client.command(
        "INSERT INTO campaign_rollups (seconds, time, account_id, impressions)"
        " SELECT seconds, toStartOfDay(now() - toIntervalDay(age)), 'a', 1"
        " FROM (SELECT arrayJoin([300, 3600, 86400]) AS seconds) AS s"
        " CROSS JOIN (SELECT arrayJoin([1, 100, 500]) AS age) AS a"
    )
    months = {"events_days": 30, "windows_days": 30, "rollups_5m_days": 30, "rollups_1h_days": 400}
    (change,) = (c for c in retention.apply(client, ClickHouseSettings(**months)) if c.table == "campaign_rollups")
    assert (change.before, change.after) == (0, 30)
    assert retention.apply(client, ClickHouseSettings(**months)) == []
    assert read_kept(lambda sql: client.query(sql).result_rows).rollups > 0
    client.command("ALTER TABLE campaign_rollups MATERIALIZE TTL SETTINGS mutations_sync = 1")
    client.command("OPTIMIZE TABLE campaign_rollups FINAL")
    kept = "SELECT seconds, count() FROM campaign_rollups GROUP BY seconds ORDER BY seconds"
    assert client.query(kept).result_rows == [(300, 1), (3600, 2), (86_400, 3)]


_POLICY = """<clickhouse><storage_configuration>
<disks><cold><path>{cold}/</path></cold></disks>
<policies><tiered><volumes>
  <default><disk>default</disk></default><cold><disk>cold</disk></cold>
</volumes></tiered></policies>
</storage_configuration></clickhouse>"""


def test_old_rows_move_to_the_cold_volume_by_setting(tmp_path: Path) -> None:
    """Of the tables that grow; nothing is deleted for it, and without the setting the rule goes again."""
    (tmp_path / "cold").mkdir()
    server = ClickHouseServer(tmp_path / "server", config=_POLICY.format(cold=tmp_path / "cold"))
    server.start()
    try:
        with open_client(server.dsn) as client:
            migrations.apply(client)
            cold = ClickHouseSettings(cold_days=7, cold_volume="cold", storage_policy="tiered")
            moved = {change.table for change in retention.apply(client, cold) if "TO VOLUME 'cold'" in change.ttl}
            assert moved == {"events", "ctr_windows", "device_windows"}
            assert retention.apply(client, cold) == []
            assert retention.hand_written(client) == {}
            for age in (0, 30):
                client.command(
                    f"INSERT INTO ctr_windows (window_start, impressions) SELECT now() - toIntervalDay({age}), 1"
                )
            disks = "SELECT disk_name FROM system.parts WHERE table = 'ctr_windows' AND active ORDER BY disk_name"
            assert client.query(disks).result_rows == [("cold",), ("default",)]
            assert {change.table for change in retention.apply(client, ClickHouseSettings()) if not change.ttl} >= moved
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("keeping", "ttl"),
    [
        (Keeping(), ""),
        (Keeping(30), "t + toIntervalDay(30)"),
        (Keeping(levels=((300, 30), (3600, 30), (86_400, 30))), "t + toIntervalDay(30)"),
        (Keeping(cold_days=7, volume="c"), "t + toIntervalDay(7) TO VOLUME 'c'"),
        (Keeping(30, cold_days=7, volume="c"), "t + toIntervalDay(7) TO VOLUME 'c', t + toIntervalDay(30)"),
        (
            Keeping(levels=((300, 30), (3600, 0))),
            "multiIf(seconds = 300, t + toIntervalDay(30), toDateTime(4294944000, 'UTC'))",
        ),
    ],
)
def test_the_clause_of_what_the_settings_say(keeping: Keeping, ttl: str) -> None:
    """As ClickHouse writes it down again; the first rows go after the shortest time."""
    assert clause("t", keeping) == ttl
    assert kept_days(ttl) == min((days for days in (keeping.days, *dict(keeping.levels).values()) if days), default=0)


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
    months = {"events_days": 20, "windows_days": 20}
    ClickHouseSettings(**months, rollups_5m_days=30, rollups_1h_days=400)
    for levels, said in (
        ({"rollups_5m_days": 10}, "rollups_5m_days must be 0 or at least clickhouse.windows_days"),
        ({"rollups_1h_days": 30}, "rollups_1h_days must be 0 or at least clickhouse.rollups_5m_days"),
        ({"rollups_5m_days": 90, "rollups_days": 60}, "rollups_days must be 0 or at least clickhouse.rollups_5m_days"),
    ):
        with pytest.raises(ValidationError, match=said):
            ClickHouseSettings(**months, **levels)
    with pytest.raises(ValidationError, match="go together"):
        ClickHouseSettings(cold_days=3)
    for shorter in ({"rollups_days": 400}, {"rollups_days": 10, "windows_days": 20, "events_days": 20}):
        with pytest.raises(ValidationError, match="rollups_days"):
            ClickHouseSettings(**shorter)
