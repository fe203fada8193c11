"""The audit of a time says what the audit of everything says of it."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.query.audit_sql import audit_source
from api.query.engine import DirectEngine, rows
from cli.main import build
from deploy.grafana.builder.generate import generated
from runtime.clickhouse.client import parse_dsn
from sori.settings import Settings
from testkit.clickhouse_fixtures import open_with_schema

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_COLUMNS = [
    "raw", "received_ms", "kafka_partition", "kafka_offset", "header_account", "header_event", "header_endpoint",
    "header_verified", "header_key_id", "header_identity",
]  # fmt: skip


def test_the_bounded_view_is_the_other_one_over_fewer_rows(settings: Settings) -> None:
    """Logins and records by session, by device, and alone: each is in the day that it belongs to, nothing else is."""
    with open_with_schema(settings.clickhouse_dsn) as client:
        logins, own = [], []
        for hour in range(72):
            at = _NOW + timedelta(hours=hour)
            session = f"s{hour}" if hour % 3 else ""
            raw = (
                f'{{"event": "authentication", "account_id": "acc_{hour % 2}", "device_id": "d{hour}",'
                f' "created_at": "{at.isoformat()}", "metadata": {{"session": "{session}"}}}}'
            )
            ms = int(at.timestamp() * 1000)
            logins.append([raw, ms, 0, hour, f"acc_{hour % 2}", "authentication", "", 1, "", f"i{hour}"])
            if hour % 5:
                late_s = 6000 if hour == 23 else hour * 9  # over midnight, and farther than the tolerance
                own.append([f"acc_{hour % 2}", session, f"d{hour}", at + timedelta(seconds=late_s), "t"])
        client.insert("events_in", logins, column_names=_COLUMNS)
        client.insert("session_records", own, column_names=["account_id", "session", "device_id", "at", "source"])
    engine = DirectEngine(parse_dsn(settings.clickhouse_dsn), settings.api)
    try:
        everything = rows(engine, "SELECT *, coalesce(login_at, own_at) AS at FROM auth_audit_within(tolerance = 300)")
        seen = []
        for day in range(4):
            begin, end = (_NOW + timedelta(days=day + more) for more in (0, 1))
            seen += rows(engine, f"SELECT * FROM {audit_source(300, begin, end)}")  # noqa: S608 - ours
            narrow = rows(engine, f"SELECT * FROM {audit_source(300, begin, end, ['acc_1'])}")  # noqa: S608 - ours
            assert {row["account_id"] for row in narrow} <= {"acc_1"}
        assert sorted(map(str, seen)) == sorted(map(str, everything))
        assert {row["class"] for row in seen} == {"matched", "mismatched", "only_in_sori", "only_in_own"}
        assert any(row["session"] == "s23" and row["class"] == "mismatched" for row in seen)
        plain = rows(engine, f"SELECT * FROM {audit_source(300)}")  # noqa: S608 - ours
        assert sorted(map(str, plain)) == sorted(map(str, everything))
    finally:
        engine.close()


def test_whoever_asks_for_a_time_reads_the_bounded_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sori audit --since`, and every panel and choice of the dashboard: all logins ever are read by nobody."""
    asked: list[str] = []

    class Noted:
        """An engine that only listens."""

        def raw(self, sql: str, _: str) -> bytes:
            """Nothing found."""
            asked.append(sql)
            return b""

    monkeypatch.setattr("cli.commands.audit.asking", lambda *_: nullcontext(Noted()))
    words = ["audit", "--since", "2026-03-01T00:00:00Z", "--tolerance", "7200", "--csv", str(tmp_path / "all.csv")]
    assert CliRunner().invoke(build(), words, catch_exceptions=False).exit_code == 0
    bound = f"since = {int(_NOW.timestamp()) - 7200},"
    assert len(asked) == 3
    assert all(bound in sql and "auth_audit_between(" in sql for sql in asked)
    board = json.loads(generated()["dashboards/json/authentication.json"])
    queries = [target["rawSql"] for panel in board["panels"] for target in panel["targets"]]
    queries += [variable["query"] for variable in board["templating"]["list"]]
    assert len(queries) >= 7
    for sql in queries:
        assert set(re.findall(r"\bauth_audit\w*", sql)) == {"auth_audit_between"}
        assert "since = toUnixTimestamp($__fromTime) - 3600" in sql
