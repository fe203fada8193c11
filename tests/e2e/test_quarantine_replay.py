"""`sori quarantine replay` on a real Kafka: what each stage holds lands where it belongs once the cause is mended."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from ingest.quarantine.replay import read_held, replay
from runtime.kafka.alert_log import to_entry
from runtime.kafka.clients import make_consumer, make_producer, running
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.failures import Rejected
from sinks.insert.rows import Row
from sori.records import parse_headers
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.signature import HmacSha256
from sori.topics import CTR_WINDOWS, EVENTS, FRAUD_ALERTS, QUARANTINE
from streams.operators.rejects import undecodable_output
from testkit.records import FakeRecord, body, event_record
from tests.e2e.test_ingest_processes import SECRET, cli, ingress

ONLY = '[[endpoint]]\nname = "acme"\naccounts = {accounts}\nsecrets = ["s3cret"]\n'
ALERT = b'{"alert_id":"a1","account_id":"acc_1","rule":"fast_click","state":"opened","version":7}'
ROW = b'{"window_start":1760419500,"account_id":"acc_1","impressions":1,"clicks":0,"version":7}'


async def records(kafka: KafkaSettings, topic: str, count: int) -> list[object]:
    found: list[object] = []
    async with running(make_consumer(kafka, topic), 10) as consumer, asyncio.timeout(20):
        while len(found) < count:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
    return found


async def status(url: str, raw: bytes) -> int:
    headers = {"X-SORI-Signature": HmacSha256().sign(SECRET.encode(), raw)}
    async with aiohttp.ClientSession() as http, http.post(url, data=raw, headers=headers) as answer:
        return answer.status


async def test_what_the_ingress_refused_is_replayed_by_the_command_once_the_endpoint_allows_it(
    topics: KafkaSettings, tmp_path: Path
) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(ONLY.format(accounts='["acc_2"]'))
    env = {"SORI_INGEST__ENDPOINTS_FILE": str(file)}
    async with ingress(topics, tmp_path, **env) as (_, port):
        base = f"http://127.0.0.1:{port}/webhooks"
        for retry in range(3):
            raw = body(account_id="acc_1", timestamp=f"2025-10-14T05:25:1{retry}.000Z")
            assert await status(f"{base}/acme", raw) == 403
        assert await status(f"{base}/mistyped", body(account_id="acc_2")) == 404
    listed = [json.loads(line) for line in cli(topics, "quarantine", "list", "--json").stdout.splitlines()]
    assert [(row["reason"], row["times"], row["account"]) for row in listed] == [
        ("forbidden", 3, "acc_1"),
        ("not_found", 1, "acc_2"),
    ]
    refused = cli(topics, "quarantine", "replay", "--all", env={**env, "SORI_INGEST__SECRET_KEYS": "another"})
    assert refused.returncode == 1
    file.write_text(ONLY.format(accounts='["acc_1", "acc_2"]'))
    mended = cli(topics, "quarantine", "replay", "--all", env={**env, "SORI_INGEST__SECRET_KEYS": "another"})
    assert mended.returncode == 0, mended.stdout + mended.stderr
    landed = [parse_headers(r.headers) for r in await records(topics, EVENTS.name(topics.topic_prefix), 2)]  # type: ignore[attr-defined]
    assert {(known.account, known.verified) for known in landed} == {("acc_1", True), ("acc_2", True)}
    assert cli(topics, "quarantine", "list", "--json").stdout == ""


async def test_what_streams_and_sinks_set_aside_goes_back_to_its_own_topic(topics: KafkaSettings) -> None:
    """An event to the events topic, a row of ours to the topic of its kind; an alert is no news to its readers."""
    prefix = topics.topic_prefix
    broken = FakeRecord(b"%" + body(), 5, headers=event_record().headers)
    output = undecodable_output(broken, "not JSON", 2)  # type: ignore[arg-type]
    event = event_record(6, identity="act_sunk")
    letters = DeadLetters(topics)
    async with running(make_producer(topics), 10) as producer:
        await producer.send_and_wait(
            QUARANTINE.name(prefix), output.value, output.key, headers=list(output.headers), timestamp_ms=1
        )
    culprits = {
        "events": Row(0, 6, 2, event.value, event.headers),
        "ctr-windows": Row(1, 7, 3, ROW, [("rows", b"1")]),
        "fraud-alerts": Row(1, 8, 4, ALERT, []),
    }
    for topic, atom in culprits.items():
        await letters.send(prefix + topic, [(atom, Rejected("Code: 117", 117))])
    await letters.close()
    settings = load_settings(kafka=topics.model_dump(), ingest={"secret_keys": SECRET})
    held = await read_held(settings)
    assert [(one.reason, one.source_topic) for one in held] == [
        ("undecodable", "events"),
        *[("sink_rejected", topic) for topic in culprits],
    ]
    result = await replay(settings, held)
    assert [one.source_topic for one, _ in result.refused] == ["events"]
    assert [r.value for r in await records(topics, CTR_WINDOWS.name(prefix), 1)] == [ROW]  # type: ignore[attr-defined]
    (landed,) = await records(topics, EVENTS.name(prefix), 1)
    assert landed.value == event.value  # type: ignore[attr-defined]
    (alert,) = await records(topics, FRAUD_ALERTS.name(prefix), 1)
    assert to_entry(alert, lambda _: False).alert is None  # type: ignore[arg-type]
    assert alert.value == ALERT  # type: ignore[attr-defined]
    assert [one.source_topic for one in await read_held(settings)] == ["events"]
