"""From real Kafka into the real engine, and what people then see."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.kafka.clients import make_producer, running
from runtime.kafka.log_identity import read_log_identity
from sori import topics as registry
from sori.records import event_headers
from sori.settings.kafka import KafkaSettings
from testkit.alerts import incident
from testkit.records import event_record
from testkit.sinks import produce, settings_for, sinks_running
from testkit.wait import wait_until


def impression(number: int, **changes: object) -> bytes:
    """An impression as SORI sends it."""
    body = {
        "event": "campaign.impression",
        "account_id": "acc_1",
        "created_at": "2025-10-14T05:25:12.421Z",
        "activity_id": f"act_{number}",
        "device_id": f"dev_{number % 7}",
        "campaign": {"id": "cmp_1", "name": "Fall", "tags": ["a"]},
        **changes,
    }
    return json.dumps(body).encode()


SAID = {"verdict_id": "ver_1", "target": "1", "target_kind": "alert", "account_id": "acc_1", "rule": "fast_click"}
SAID |= {"subject_kind": "device", "subject": "d", "verdict": "false_positive", "note": "our rack", "by": "Kim"}
SAID |= {"allow": True, "allowed": [{"rule": "", "subject_kind": "device", "subject": "d"}], "token": "tok"}
SAID |= {"until": None, "made_at": "2025-10-14T06:00:00.250Z", "state": "made", "version": 1}
OTHER = SAID | {"verdict_id": "ver_2", "until": "2025-10-15T06:00:00.250Z"}
VERDICTS = [SAID, OTHER, OTHER | {"state": "withdrawn", "version": 2}]


def assert_in_incident(client: Client, case: dict[str, Any], *alerts: dict[str, object]) -> None:
    """These alerts, of which the first is stored, and no others, are in this incident, however one asks."""
    placed = client.query("SELECT alert_id, incident_id FROM incident_of_alert FINAL ORDER BY alert_id").result_rows
    assert placed == [(one["alert_id"], case["incident_id"]) for one in alerts]
    assert client.command("SELECT incident_id FROM alerts_in_incidents") == case["incident_id"]
    assert client.command("SELECT JSONExtractString(alerts, 2, 'rule') FROM incidents_current") == "fast_click"


def holds_one(client: Client, view: str) -> bool:
    """Raises AssertionError, with how many there are."""
    assert client.command(f"SELECT count() FROM {view}") == 1  # noqa: S608 - a view of ours
    return True


async def test_every_topic_reaches_its_view(topics: KafkaSettings, dsn: str, client: Client) -> None:
    """An event, windows, an alert, a late event and a quarantined record each show up where people look."""
    kafka = topics
    headers = event_headers(
        account="acc_1",
        event="campaign.impression",
        endpoint="/webhooks/sori",
        verified=True,
        key_id="k1",
        identity="act_1",
    )
    window = {
        "window_start": 1760419500,
        "account_id": "acc_1",
        "campaign_id": "cmp_1",
        "material_id": "",
        "platform": "Android",
        "country": "US",
        "region": "MI",
        "city": "Ann Arbor",
        "source_partition": 0,
        "impressions": 3,
        "clicks": 1,
        "suspect_clicks": 0,
        "version": 10,
    }
    newer = {**window, "impressions": 5, "version": 20}
    elsewhere = {**window, "source_partition": 1, "impressions": 10, "clicks": 4}
    alert = {
        "alert_id": "5c2c5bfc-2d1c-5d6a-9f3e-000000000001",
        "rule": "device_click_burst",
        "account_id": "acc_1",
        "severity": "high",
        "invalid_traffic_class": "GIVT",
        "subject_kind": "device",
        "subject": "dev_1",
        "window_start": "2025-10-14T05:25:00.000Z",
        "window_end": "2025-10-14T05:26:00.000Z",
        "opened_at": "2025-10-14T05:25:30.500Z",
        "updated_at": "2025-10-14T05:25:30.500Z",
        "closed_at": None,
        "observed": 40,
        "expected": 1.5,
        "floor": 20,
        "state": "opened",
        "version": 1,
        "evidence": {"sample_event_ids": ["act_1"]},
    }
    late = {
        "account_id": "acc_1",
        "event": "campaign.click",
        "created_at": 1760419512421,
        "identity": "act_9",
        "window_start": 1760419500,
        "received_at": 1760423112421,
        "kafka_partition": 0,
        "kafka_offset": 7,
        "reason": "late",
    }
    async with sinks_running(settings_for(kafka, dsn)), running(make_producer(kafka), 10) as producer:
        await produce(producer, kafka, registry.EVENTS, impression(1), headers=headers, timestamp_ms=1760419513000)
        packed = b"\n".join(json.dumps(row).encode() for row in (newer, elsewhere))
        await produce(producer, kafka, registry.CTR_WINDOWS, json.dumps(window).encode(), packed)
        device = {"window_start": 1760419500, "account_id": "acc_1", "device_id": "dev_1", "source_partition": 0}
        device |= {"impressions": 2, "clicks": 1, "authentications": 1, "version": 3}
        await produce(producer, kafka, registry.DEVICE_WINDOWS, json.dumps(device).encode())
        closed = {**alert, "state": "closed", "closed_at": "2025-10-14T05:31:00.250Z", "version": 2}
        await produce(producer, kafka, registry.FRAUD_ALERTS, json.dumps(alert).encode(), json.dumps(closed).encode())
        two = {**alert, "alert_id": "5c2c5bfc-2d1c-5d6a-9f3e-000000000002", "rule": "fast_click"}
        case = incident(closed, two)
        older = {**case, "incident_id": "gone", "merged_into": case["incident_id"], "alert_ids": [two["alert_id"]]}
        for one in (older, case):
            await produce(
                producer, kafka, registry.INCIDENTS, json.dumps(one).encode(), key=one["incident_id"].encode()
            )
        await produce(producer, kafka, registry.LATE, json.dumps(late).encode())
        tried = {"subscription_id": "sub_1", "account_id": "acc_1", "webhook_id": "msg_1_1", "alert_id": "1"}
        tried |= {
            "alert_version": 1,
            "attempt": 2,
            "attempted_at": f"{datetime.now(UTC):%FT%T.250Z}",
            "host": "example.com",
        }
        tried |= {"status": 0, "error": "dns", "outcome": "retry", "duration_ms": 12.5, "next_attempt_at": None}
        later = json.dumps(tried | {"attempt": 3, "status": 200, "error": "", "outcome": "delivered"})
        await produce(producer, kafka, registry.DELIVERY_ATTEMPTS, json.dumps(tried).encode(), later.encode())
        for verdict in VERDICTS:
            key = verdict["verdict_id"].encode()
            await produce(producer, kafka, registry.VERDICTS, json.dumps(verdict).encode(), key=key)
        quarantined = [("reason", b"malformed"), ("detail", b"not JSON"), ("account", b"acc_1"), ("verified", b"1")]
        await produce(producer, kafka, registry.QUARANTINE, b"\xff{", headers=quarantined)
        for view in (
            "events_current",
            "ctr_by_minute",
            "alerts_current",
            "incidents_current",
            "late_events",
            "quarantine_current",
        ):
            await wait_until(lambda view=view: holds_one(client, view), what=view)
        await wait_until(lambda: client.command("SELECT count() FROM delivery_attempts_current") == 2)
        await wait_until(lambda: client.command("SELECT count() FROM verdicts") == 3)
        await wait_until(lambda: client.command("SELECT clicks FROM ctr_by_device") == 1)
        await wait_until(lambda: client.command("SELECT impressions FROM ctr_by_minute") == 15)
        await wait_until(lambda: client.command("SELECT state FROM alerts_current") == "closed")

    assert_in_incident(client, case, alert, two)
    event = client.query("SELECT * FROM events_current").named_results()
    [row] = list(event)
    assert row["event"] == "campaign.impression"
    assert row["country"] == row["platform"] == "Unknown"
    assert row["campaign_tags"] == ["a"]
    assert row["verified"] is True
    assert row["received_at"].isoformat() == "2025-10-14T05:25:13"
    assert client.command("SELECT clicks FROM ctr_by_minute") == 5
    verdicts = client.query("SELECT verdict_id, by, allow, until, allowed.subject FROM verdicts_current WHERE by != ''")
    assert verdicts.result_rows == [("ver_1", "Kim", True, None, ["d"])]
    assert client.command("SELECT JSONExtractString(evidence, 'sample_event_ids', 1) FROM alerts_current") == "act_1"
    assert client.command("SELECT reason FROM quarantine_current") == "malformed"


async def test_a_late_event_is_counted_in_its_window_by_itself(topics: KafkaSettings, dsn: str, client: Client) -> None:
    """The stream left it out and said so; soon windows and raw events agree again."""
    window = {"window_start": 1760419500, "account_id": "acc_1", "campaign_id": "cmp_1", "material_id": ""}
    window |= {"platform": "Android", "country": "Unknown", "region": "Unknown", "city": "Unknown"}
    window |= {"source_partition": 0, "impressions": 2, "clicks": 0, "suspect_clicks": 0, "version": 2}
    late = {"account_id": "acc_1", "event": "campaign.impression", "created_at": 1760419512421, "identity": "act_0_2"}
    late |= {"window_start": 1760419500, "received_at": 1760423112421, "kafka_partition": 0, "kafka_offset": 2}
    log = (await read_log_identity(topics, registry.EVENTS.name(topics.topic_prefix))).key  # as the streams stamp them
    window["log"] = late["log"] = log
    async with sinks_running(settings_for(topics, dsn)), running(make_producer(topics), 10) as producer:
        await produce(producer, topics, registry.CTR_WINDOWS, json.dumps(window).encode())
        await produce(producer, topics, registry.LATE, json.dumps(late | {"reason": "late"}).encode())
        await wait_until(lambda: client.command("SELECT count() FROM late_events") == 1)
        await wait_until(lambda: client.command("SELECT impressions FROM ctr_by_minute") == 2)
        for number in range(3):
            record = event_record(number)
            headers = list(record.headers)
            await produce(producer, topics, registry.EVENTS, record.value, headers=headers, partition=0)
        await wait_until(lambda: client.command("SELECT impressions FROM ctr_by_minute") == 3)
    counted = client.query("SELECT impressions, version, repaired FROM ctr_windows FINAL").result_rows
    assert counted == [(3, 3, 1)]
    [(repaired_to,)] = client.query("SELECT max(version) FROM window_repairs").result_rows
    assert repaired_to == 3
    events = client.command("SELECT uniqExact(account_id, event, created_at, identity) FROM events_current")
    assert events == client.command("SELECT sum(impressions) FROM ctr_by_minute") == 3


async def test_a_poison_row_is_quarantined_and_its_neighbours_are_stored(
    topics: KafkaSettings, dsn: str, client: Client
) -> None:
    """One line of a packed record that ClickHouse refuses: it goes aside with ClickHouse's reason, the rest goes on."""
    window = {"window_start": 1760419500, "account_id": "acc_1", "campaign_id": "cmp_1", "material_id": ""}
    window |= {
        "platform": "iOS",
        "country": "US",
        "region": "MI",
        "source_partition": 0,
        "impressions": 1,
        "version": 1,
    }
    lines = [json.dumps(window | {"city": f"City {n}"}).encode() for n in range(200)]
    lines[77] = b'{"window_start": 1760419500, "impressions": "many"}'
    async with sinks_running(settings_for(topics, dsn)), running(make_producer(topics), 10) as producer:
        await produce(producer, topics, registry.CTR_WINDOWS, b"\n".join(lines[:100]), b"\n".join(lines[100:]))
        await wait_until(lambda: client.command("SELECT count() FROM ctr_by_minute") == 199)
        await wait_until(lambda: client.command("SELECT count() FROM quarantine_current") == 1)
        later = json.dumps(window | {"city": "Later"}).encode()
        await produce(producer, topics, registry.CTR_WINDOWS, later)
        await wait_until(lambda: client.command("SELECT count() FROM ctr_by_minute") == 200)
    [row] = client.query("SELECT reason, raw, detail FROM quarantine_current").result_rows
    assert row[:2] == ("sink_rejected", lines[77].decode())
    assert "many" in row[2] or "parse" in row[2].lower()
