"""What operators do to stored data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.query.verification import verify
from sinks.builders import events, packed, quarantine
from sinks.insert.writer import Writer
from sinks.maintenance.tasks import TASKS
from sori.errors import ConfigError
from sori.settings import load_settings
from testkit.records import FakeRecord, event_record

RECEIVED = 1_760_419_513


def run(client: Client, task: str, **params: Any) -> Mapping[str, Any]:
    """Run to the end; returns the result."""
    *steps, last = TASKS[task](client, load_settings(), params)
    assert all(step["done"] <= step["total"] for step in steps)
    result: Mapping[str, Any] = last["result"]
    return result


def fill(client: Client) -> None:
    """Three devices, impressions, clicks and a login each, some deliveries repeated."""
    records = [event_record(n, n % 3, device_id=f"dev_{n % 3}") for n in range(30)]
    records += [event_record(n, n % 3, event="campaign.click", device_id=f"dev_{n % 3}") for n in range(30, 36)]
    records += [event_record(40 + n, n, event="authentication", device_id=f"dev_{n}", campaign=None) for n in range(3)]
    again = [FakeRecord(records[0].value, 90, 0, records[0].timestamp + 1000, records[0].headers)]
    Writer(lambda: client).insert(events.build(records + again), None)


def differences(client: Client) -> list[dict[str, Any]]:
    """What `sori verify` would print."""
    return verify(lambda sql: list(client.query(sql).named_results()))


def test_backfill_makes_windows_agree(client: Client) -> None:
    """From events alone, and again without effect."""
    fill(client)
    assert differences(client)
    for _ in range(2):
        run(client, "backfill", start=RECEIVED - 600, end=RECEIVED + 600)
        assert differences(client) == []
    with pytest.raises(ConfigError, match="end"):
        run(client, "backfill", start=120, end=60)


def test_forget_removes_one_device_everywhere_and_nothing_else(client: Client) -> None:
    """Events, windows, alerts, late, quarantined and session records; the others' windows agree as before."""
    fill(client)
    run(client, "backfill", start=RECEIVED - 600, end=RECEIVED + 600)
    writer = Writer(lambda: client)
    late = {"account_id": "acc_1", "event": "campaign.impression", "created_at": 1, "window_start": 1, "received_at": 1}
    late |= {"kafka_partition": 1, "kafka_offset": 1, "reason": "late"}
    lines = [json.dumps(late | {"identity": f"act_{n}_{n}"}).encode() for n in (1, 2)]
    writer.insert(packed.builder("late_in")([FakeRecord(line) for line in lines]), None)
    alert = {"account_id": "acc_1", "subject_kind": "device", "version": 1}
    alerts = [json.dumps(alert | {"alert_id": f"a{n}", "subject": f"dev_{n}"}).encode() for n in range(3)]
    writer.insert(packed.builder("alerts")([FakeRecord(line) for line in alerts]), None)
    raw = [FakeRecord(b'{"device_id": "dev_1", broken', 1), FakeRecord(b'{"device_id": "dev_10"}', 2)]
    writer.insert(quarantine.build(raw), None)
    session = b'{"account_id":"acc_1","session":"s","device_id":"dev_1","at":"2025-10-14T05:25:12Z"}'
    writer.insert(packed.builder("session_records")([FakeRecord(session)]), None)
    verdict = {"verdict_id": "v1", "account_id": "acc_1", "subject_kind": "device", "subject": "dev_0", "state": "made"}
    allowed = [{"rule": "", "subject_kind": "device", "subject": "dev_1"}]
    verdicts = [json.dumps(verdict).encode(), json.dumps(verdict | {"verdict_id": "v2", "allowed": allowed}).encode()]
    writer.insert(packed.builder("verdicts")([FakeRecord(line) for line in verdicts]), None)

    result = run(client, "forget", device="dev_1")
    removed = result["removed"]
    assert removed["events"] == 13
    assert {name: removed[name] for name in ("alerts", "quarantine", "session_records", "late", "verdicts")} == {
        "alerts": 1,
        "verdicts": 1,
        "quarantine": 1,
        "session_records": 1,
        "late": 1,
    }
    assert result["windows_recounted"] > 0
    assert any(place["topic"] == "sori.events" for place in result["in_kafka"])
    for table in ("events", "device_windows", "session_records"):
        assert client.command(f"SELECT count() FROM {table} WHERE device_id = 'dev_1'") == 0  # noqa: S608 - ours
    assert client.command("SELECT count() FROM events_current") == 26
    assert client.command("SELECT count() FROM alerts_current") == 2
    assert client.command("SELECT verdict_id FROM verdicts_current") == "v1"
    assert differences(client) == []
    assert run(client, "forget", device="nobody")["removed"]["events"] == 0
    with pytest.raises(ConfigError):
        run(client, "forget", device="")


def test_forget_takes_a_hostile_name_literally(client: Client) -> None:
    """A device may be called anything."""
    name = "x' OR 1=1 --\\"
    Writer(lambda: client).insert(events.build([event_record(0, device_id=name), event_record(1)]), None)
    assert run(client, "forget", device=name)["removed"]["events"] == 1
    assert client.command("SELECT count() FROM events") == 1


def test_an_export_restores_into_an_empty_database(client: Client, tmp_path: Path) -> None:
    """Events as they were, windows recounted; importing twice changes nothing."""
    fill(client)
    clocks = ("1999-01-01T00:00:00Z", "2025-10-14T03:00:00Z", "2031-05-05T05:05:05Z")
    odd = [event_record(200 + n, created_at=at) for n, at in enumerate(clocks)]
    Writer(lambda: client).insert(events.build([FakeRecord(b"\xffno json", 99), *odd]), None)
    query = "SELECT * EXCEPT raw, hex(raw) FROM events_current ORDER BY kafka_partition, kafka_offset"
    wanted = client.query(query).result_rows
    folder = str(tmp_path / "export")
    result = run(client, "export", folder=folder, start=RECEIVED - 86_400, end=RECEIVED + 86_400)
    assert result == {"files": 1, "events": len(wanted)}
    client.command("TRUNCATE TABLE events")
    for _ in range(2):
        assert run(client, "import", folder=folder)["files"] == 1
        assert client.query(query).result_rows == wanted
        assert differences(client) == []
    with pytest.raises(ConfigError, match="no events"):
        run(client, "import", folder=str(tmp_path))
