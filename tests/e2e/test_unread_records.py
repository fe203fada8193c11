"""What Kafka let go before the sinks read it is counted and said, once; the rest is stored."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from clickhouse_connect.driver.client import Client
from structlog.testing import capture_logs

from runtime.kafka.clients import bounded, make_producer, running, running_admin
from runtime.telemetry.metrics import counter
from sori import metrics
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS
from testkit.records import event_record
from testkit.sinks import settings_for, sinks_running
from testkit.wait import wait_until


async def send(kafka: KafkaSettings, first: int, count: int) -> None:
    """Events of one partition."""
    async with running(make_producer(kafka), 10) as producer:
        for number in range(first, first + count):
            record = event_record(identity=f"act_{number}")
            await producer.send(
                EVENTS.name(kafka.topic_prefix), record.value, partition=0, headers=list(record.headers)
            )
        await producer.flush()


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
@pytest.mark.timeout(120)
async def test_records_that_went_before_a_sink_read_them_are_said(
    topics: KafkaSettings, dsn: str, client: Client
) -> None:
    """Retention passed the sinks while they were away: of thirty, ten were stored and twelve are gone."""
    topic = EVENTS.name(topics.topic_prefix)

    def unread() -> float:
        return counter(metrics.SINKS_UNREAD).labels(topic)._value.get()

    async def stored(wanted: int) -> None:
        await wait_until(
            lambda: int(client.command("SELECT count() FROM events")) == wanted, 30, what=f"{wanted} stored"
        )

    settings = settings_for(topics, dsn)
    await send(topics, 0, 10)
    async with sinks_running(settings):
        await stored(10)
    await send(topics, 10, 20)
    async with running_admin(topics) as admin:
        await bounded(admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(22)}), 30, "delete records")
    with capture_logs() as logs:
        async with sinks_running(settings):
            await stored(10 + 8)
        assert unread() == 12
        async with sinks_running(settings):
            await send(topics, 30, 1)
            await stored(10 + 8 + 1)
    told = [one for one in logs if one["event"] == "records_lost_unread"]
    assert [(one["sink"], one["partition"], one["expected"], one["records"]) for one in told] == [("events", 0, 10, 12)]
    assert unread() == 12
