"""Offsets start again: Kafka's data lost, a topic made anew, another cluster. Every acknowledged event is stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics, delete_topics
from runtime.kafka.clients import make_producer, running
from sori import topics as registry
from sori.settings.kafka import KafkaSettings
from testkit.records import event_record
from testkit.sinks import settings_for, sinks_running
from testkit.wait import wait_until


async def send(kafka: KafkaSettings, first: int, after: int) -> None:
    """Numbered events on one partition, so that the second run's offsets are those of the first."""
    topic = registry.EVENTS.name(kafka.topic_prefix)
    async with running(make_producer(kafka), 10) as producer:
        for n in range(first, after):
            record = event_record(0, identity=f"act_{n}")
            headers = list(record.headers)
            await producer.send(topic, record.value, partition=0, headers=headers, timestamp_ms=record.timestamp)
        await producer.flush()


def stored(client: Client) -> int:
    """Distinct events."""
    return int(client.command("SELECT uniqExact(identity) FROM events_current"))


async def carry(kafka: KafkaSettings, dsn: str, client: Client, wanted: int) -> None:
    """Run the sinks until so many events are stored."""
    async with sinks_running(settings_for(kafka, dsn)):
        await wait_until(lambda: stored(client) >= wanted, 30)


async def test_nothing_is_lost_when_the_brokers_data_is(tmp_path: Path, dsn: str, client: Client) -> None:
    """30 events, the broker's folder removed, 30 events at the same offsets: 60 are stored."""
    broker = EmbeddedBroker(tmp_path / "kafka")
    for first in (0, 30):
        async with broker:
            kafka = KafkaSettings(bootstrap=broker.bootstrap)
            await apply_topics(kafka)
            await send(kafka, first, first + 30)
            await carry(kafka, dsn, client, first + 30)
        shutil.rmtree(tmp_path / "kafka")
    assert stored(client) == 60
    assert client.command("SELECT count() FROM kafka_logs WHERE topic = 'sori.events'") == 2


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_a_topic_made_anew_under_running_sinks_is_read_from_its_beginning(
    topics: KafkaSettings, dsn: str, client: Client
) -> None:
    """Nobody restarts the sinks; what they had committed means nothing in the new log."""
    async with sinks_running(settings_for(topics, dsn)):
        await send(topics, 0, 30)
        await wait_until(lambda: stored(client) == 30, 30)
        await delete_topics(topics)
        await apply_topics(topics)
        await send(topics, 30, 60)
        await wait_until(lambda: stored(client) == 60, 40)
