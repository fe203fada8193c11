"""The audit of a time says what the audit of everything says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.console.audit import audit_sql
from api.query.engine import DirectEngine, rows
from api.query.slice import asked_slice
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from sori.settings import Settings

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_COLUMNS = [
    "raw", "received_ms", "kafka_partition", "kafka_offset", "header_account", "header_event", "header_endpoint",
    "header_verified", "header_key_id", "header_identity",
]  # fmt: skip


def test_the_bounded_view_is_the_other_one_over_fewer_rows(settings: Settings) -> None:
    """Logins and records by session, by device, and alone: each is in the day that it belongs to, nothing else is."""
    with open_client(settings.clickhouse_dsn) as client:
        migrations.apply(client)
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
                own.append([f"acc_{hour % 2}", session, f"d{hour}", at + timedelta(seconds=hour * 9), "t"])
        client.insert("events_in", logins, column_names=_COLUMNS)
        client.insert("session_records", own, column_names=["account_id", "session", "device_id", "at", "source"])
    engine = DirectEngine(parse_dsn(settings.clickhouse_dsn), settings.api)
    try:
        everything = rows(engine, "SELECT *, coalesce(login_at, own_at) AS at FROM auth_audit_within(tolerance = 300)")
        seen = []
        for day in range(4):
            begin, end = (_NOW + timedelta(days=day + more) for more in (0, 1))
            asked = {"since": [begin.isoformat()], "until": [end.isoformat()]}
            seen += rows(engine, audit_sql(asked_slice(asked, end), 300))
            narrow = rows(engine, audit_sql(asked_slice({**asked, "account": ["acc_1"]}, end), 300))
            assert {row["account_id"] for row in narrow} <= {"acc_1"}
        assert sorted(map(str, seen)) == sorted(map(str, everything))
        assert {row["class"] for row in seen} == {"matched", "mismatched", "only_in_sori", "only_in_own"}
    finally:
        engine.close()
