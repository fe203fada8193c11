"""A real worker raises alerts; a backtest of the same range raises the same ones, whatever it reads.

Equal are ids, rules, subjects, openings and closings, windows, counts, severity and evidence: all but `version`, which
says at which flush an alert was emitted. Of alerts still open, their opening.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from api.query.open_engine import open_engine
from runtime.clickhouse.client import open_client
from runtime.kafka.clients import make_consumer, make_producer, running, running_admin
from sinks.maintenance.parquet import export_events
from sori.settings import Settings
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, FRAUD_ALERTS, GEO_ROLLUPS
from streams.backtest.replay import Alerts, Replay
from streams.backtest.sources.clickhouse import StoredHistory
from streams.backtest.sources.flush_file import write_flushes
from streams.backtest.sources.history import Facts, History, Span
from streams.backtest.sources.kafka import KafkaHistory
from streams.backtest.sources.ndjson import NdjsonHistory
from streams.backtest.sources.parquet import ParquetHistory
from streams.rules.registry import DEVICE_RULES
from testkit.history import Message, lately, scenario, settled
from testkit.sinks import settings_for, sinks_running
from testkit.stage_process import StageProcess
from testkit.upserts import UpsertTables
from testkit.wait import wait_until


def settings_of(kafka: KafkaSettings, dsn: str) -> Settings:
    """Settings of the pipeline under test."""
    made = settings_for(kafka, dsn)
    return made.model_copy(update={"streams": made.streams.model_copy(update={"idle_after_s": 3600.0})})


def backtest(history: History, settings: Settings, flushes: KafkaHistory | None = None) -> Alerts:
    """The rules that ran live, over history."""
    span = Span()
    facts = history.facts(span)
    replay = Replay(settings.streams, [settings.rules], flushes.as_flushed(span, facts) if flushes else facts)
    for step in history.read(span):
        replay.take(step)
    replay.finish()
    return replay.alerts[0]


async def produce(kafka: KafkaSettings, log: tuple[Message, ...]) -> None:
    """As the ingress does."""
    async with running(make_producer(kafka, linger_ms=5), 10) as producer:
        for message in log:
            entry = message.entry
            await producer.send(
                EVENTS.name(kafka.topic_prefix),
                entry.value,
                key=message.key,
                headers=list(entry.headers),
                timestamp_ms=entry.timestamp,
            )
        await producer.flush()


def devices(alerts: Alerts) -> Alerts:
    """Alerts of hop 1: the hourly rules judge roll-ups, which depend on flushes."""
    return {name: body for name, body in alerts.items() if body["rule"] in DEVICE_RULES}


@pytest.fixture
def kafka_settings(broker: str, topic_prefix: str) -> KafkaSettings:
    """Three partitions."""
    return KafkaSettings(bootstrap=broker, topic_prefix=topic_prefix, event_partitions=3)


@pytest.mark.timeout(400)
async def test_every_source_gives_the_live_alerts(topics: KafkaSettings, tmp_path: Path):
    """From Kafka, and from ClickHouse and files with the flushes in Kafka; without them, those about devices."""
    settings = settings_of(topics, f"chdb://{tmp_path / 'clickhouse'}")
    log = scenario("demo", start_ms=lately())
    await produce(topics, log)
    env = {"SORI_STREAMS__GROUP": f"{topics.topic_prefix}s", "SORI_STREAMS__ADMIN_PORT": "0"}
    worker = StageProcess("streams", topics, tmp_path / "streams.log", {**env, "SORI_STREAMS__IDLE_AFTER_S": "3600"})
    worker.start()
    try:
        async with UpsertTables(topics) as tables, sinks_running(settings):
            await wait_until(lambda: at_the_end(topics, env["SORI_STREAMS__GROUP"]), 120, what="everything committed")
            assert worker.stop() == 0
            live = await alerts_of(topics, tables)
            await wait_until_stored(settings, len({message.entry.value for message in log}))
    finally:
        worker.stop()
    replayed = await asyncio.to_thread(from_kafka, topics, settings)
    assert settled(replayed) == settled(live)
    assert any(body["subject_kind"] != "device" for body in live.values())

    sources = from_stored(settings, tmp_path)
    plain = [backtest(history, settings) for history in sources]
    assert settled(devices(plain[0])) == settled(devices(live))
    assert settled(plain[0]) == settled(plain[1]) == settled(plain[2])
    exact = await asyncio.to_thread(lambda: [with_flushes(history, topics, settings) for history in sources])
    assert [settled(alerts) for alerts in exact] == [settled(live)] * 3
    await asyncio.to_thread(keep_flushes, topics, tmp_path / "out")
    assert settled(backtest(ParquetHistory(tmp_path / "out"), settings)) == settled(live)
    bodies = tmp_path / "bodies.ndjson"
    bodies.write_bytes(b"\n".join(message.entry.value for message in log))
    caught = devices(backtest(NdjsonHistory(bodies, 3), settings))
    assert {body["subject"] for body in caught.values()} == {body["subject"] for body in devices(live).values()}


def from_stored(settings: Settings, folder: Path) -> list[History]:
    """ClickHouse, an export of it, and its rows as JSON lines."""
    engine = open_engine(settings)
    lines = engine.raw(
        "SELECT raw, toUnixTimestamp64Milli(received_at) AS received_ms, kafka_partition, kafka_offset,"
        " identity AS header_identity FROM events_current ORDER BY received_at"
    )
    (folder / "events.ndjson").write_bytes(lines)
    with open_client(settings.clickhouse_dsn) as client:
        list(export_events(client, settings, {"folder": str(folder / "out"), "start": 0, "end": 2**32 - 1}))
    files = [ParquetHistory(folder / "out"), NdjsonHistory(folder / "events.ndjson", 3)]
    return [StoredHistory(engine.raw), *files]


def with_flushes(history: History, kafka: KafkaSettings, settings: Settings) -> Alerts:
    """A backtest that flushes as the worker did."""
    log = KafkaHistory(kafka)
    try:
        return backtest(history, settings, log)
    finally:
        log.close()


def keep_flushes(kafka: KafkaSettings, folder: Path) -> None:
    """As `sori export` does; twice, since exports may overlap."""
    log = KafkaHistory(kafka)
    try:
        facts = log.as_flushed(Span(), Facts(0, {}))
        assert [write_flushes(folder, facts, now_ms) for now_ms in (1_000, 2_000)] == sorted(folder.glob("flushes*"))
    finally:
        log.close()


async def at_the_end(kafka: KafkaSettings, group: str) -> bool:
    """Whether the worker has committed all events, and then all roll-ups that they gave."""
    consumer = make_consumer(kafka)
    async with running(consumer, 10), running_admin(kafka) as admin:
        for topic, partitions in ((EVENTS, 3), (GEO_ROLLUPS, GEO_ROLLUPS.partitions)):
            tps = [TopicPartition(topic.name(kafka.topic_prefix), number) for number in range(partitions)]
            committed = await admin.list_consumer_group_offsets(group, partitions=tps)
            ends = await consumer.end_offsets(tps)
            if any(end > 0 and committed[tp].offset < end for tp, end in ends.items()) or not any(ends.values()):
                return False
    return True


async def alerts_of(kafka: KafkaSettings, tables: UpsertTables) -> Alerts:
    """Newest states of all alerts on the topic, read to its end."""
    consumer = make_consumer(kafka)
    async with running(consumer, 10):
        name = FRAUD_ALERTS.name(kafka.topic_prefix)
        ends = await consumer.end_offsets([TopicPartition(name, n) for n in range(FRAUD_ALERTS.partitions)])

    async def read() -> bool:
        await tables.poll()
        return len(tables.alert_records) >= sum(ends.values())

    await wait_until(read, what="alerts read")
    return {body["alert_id"]: body for body in tables.table(FRAUD_ALERTS)}


def from_kafka(kafka: KafkaSettings, settings: Settings) -> Alerts:
    """A backtest of the topic."""
    history = KafkaHistory(kafka)
    try:
        return backtest(history, settings)
    finally:
        history.close()


async def wait_until_stored(settings: Settings, count: int) -> None:
    """Wait until ClickHouse has so many events."""
    with open_client(settings.clickhouse_dsn) as client:

        def all_there() -> bool:
            return int(client.query("SELECT count() FROM events_current").result_rows[0][0]) >= count

        await wait_until(all_there, 120, what="events in ClickHouse")
