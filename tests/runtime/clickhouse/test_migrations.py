"""The schema comes from numbered files, once each, forward only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client
from sori.errors import SchemaError


def test_applying_twice_changes_nothing(client: Client) -> None:
    """The second time finds everything applied."""
    assert migrations.apply(client) == []
    assert {entry.state for entry in migrations.status(client)} == {"applied"}


def test_a_crash_between_two_statements_is_mended_by_applying_again(dsn: str) -> None:
    """Every statement of every file may run twice."""
    with open_client(dsn) as client:
        for migration in migrations.load():
            for statement in migration.statements():
                client.command(statement)
        assert len(migrations.apply(client)) == len(migrations.load())
        migrations.require_current(client)


def test_windows_from_before_logs_had_names_stay_beside_those_of_another_log(dsn: str) -> None:
    """An upgrade changes the sorting key of tables that hold rows: old rows are of the log 0, also after merges."""
    names = ["window_start", "account_id", "source_partition", "impressions", "version"]
    with open_client(dsn) as client:
        migrations.apply(client, migrations.load()[:13])
        client.insert(
            "ctr_windows", [[1_760_419_500, "a", 0, 5, 90], [1_760_419_500, "a", 1, 1, 9]], column_names=names
        )
        migrations.apply(client)
        rows = [[1_760_419_500, "a", 0, 2, 3, 7], [1_760_419_500, "a", 0, 6, 91, 0]]
        client.insert("ctr_windows", rows, column_names=[*names, "log"])
        client.command("OPTIMIZE TABLE ctr_windows FINAL")
        found = client.query("SELECT log, source_partition, impressions FROM ctr_windows ORDER BY ALL").result_rows
        assert found == [(0, 0, 6), (0, 1, 1), (7, 0, 2)]


def test_the_status_of_an_empty_database_is_pending_and_creates_nothing(dsn: str) -> None:
    """Looking does not touch."""
    with open_client(dsn) as client:
        assert {entry.state for entry in migrations.status(client)} == {"pending"}
        assert client.query("SHOW TABLES").result_rows == []
        with pytest.raises(SchemaError, match="sori schema apply"):
            migrations.require_current(client)


def test_a_changed_file_is_refused(client: Client) -> None:
    """History is not rewritten: the operator is told which file."""
    first, *rest = migrations.load()
    with pytest.raises(SchemaError, match=r"0001_events was changed"):
        migrations.apply(client, [replace(first, sql=first.sql + "\n-- edited"), *rest])


def test_a_new_file_is_applied_alone(client: Client) -> None:
    """An upgrade runs what is new."""
    known = migrations.load()
    new = migrations.Migration(len(known) + 1, "more", "CREATE TABLE IF NOT EXISTS more (x Int8) ENGINE = Null;\n")
    assert migrations.apply(client, [*known, new]) == [new]
    assert client.command("EXISTS TABLE more") == 1


def test_files_must_be_numbered_without_gaps(tmp_path: Path) -> None:
    """A missing or misnamed file is a mistake to report, not to skip."""
    with pytest.raises(SchemaError, match="numbered"):
        migrations.load(tmp_path)
    (tmp_path / "0002_x.sql").write_text("SELECT 1;")
    with pytest.raises(SchemaError, match="numbered"):
        migrations.load(tmp_path)
    (tmp_path / "first.sql").write_text("SELECT 1;")
    with pytest.raises(SchemaError, match=r"first\.sql"):
        migrations.load(tmp_path)


def test_statements_end_at_the_end_of_a_line() -> None:
    """Comments may hold anything, and a lone comment is no statement."""
    sql = "-- a; b\nSELECT 1;\n\n-- only words\n;\nSELECT ';' AS x;"
    assert list(migrations.Migration(1, "t", sql).statements()) == ["-- a; b\nSELECT 1", "SELECT ';' AS x"]


def test_the_public_columns_are_as_promised(client: Client) -> None:
    """Dashboards depend on these names: columns may be added, not renamed."""
    promised = {
        "events_current": "event account_id created_at received_at identity activity_id device_id platform country "
        "region city campaign_id campaign_name campaign_tags campaign_image material_id material_name material_tags "
        "material_image metadata verified endpoint raw kafka_partition kafka_offset",
        "ctr_by_minute": "minute account_id campaign_id material_id platform country region city "
        "impressions clicks ctr",
        "alerts_current": "alert_id rule account_id severity subject_kind subject window_start window_end observed "
        "expected state opened_at updated_at closed_at evidence version invalid_traffic_class floor",
        "incidents_current": "incident_id account_id state severity opened_at updated_at closed_at story rules "
        "subjects devices places campaigns alert_ids alerts",
        "alerts_in_incidents": "alert_id rule account_id severity subject incident_id",
        "ctr_by_campaign": "account_id campaign_id impressions clicks ctr",
        "ctr_by_place": "account_id country region city impressions clicks ctr",
        "ctr_by_device": "account_id device_id impressions clicks ctr",
    }
    for view, columns in promised.items():
        found = client.query(f"SELECT * FROM {view} LIMIT 0").column_names  # noqa: S608 - ours
        missing = [name for name in columns.split() if name not in found]
        assert missing == [], view
