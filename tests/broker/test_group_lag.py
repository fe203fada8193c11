"""How far behind a consumer group is."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from broker.group_lag import group_lags
from runtime.kafka import clients
from runtime.process.ports import free_port
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, LATE


async def test_lag_counts_what_is_not_committed(topics: KafkaSettings) -> None:
    """A group that never committed is behind by everything; each commit lessens it; other topics do not count."""
    events, late = EVENTS.name(topics.topic_prefix), LATE.name(topics.topic_prefix)
    group = f"{topics.topic_prefix}group"
    readers = {group: [events]}
    assert await group_lags(topics, readers) == {group: 0}
    producer = clients.make_producer(topics)
    await clients.start(producer, 10)
    for number in range(10):
        await clients.bounded(producer.send_and_wait(events, b"x", partition=number % 2), 10, "send")
    await clients.bounded(producer.send_and_wait(late, b"x"), 10, "send")
    await clients.stop(producer)
    assert await group_lags(topics, readers) == {group: 10}
    consumer = clients.make_consumer(topics, group_id=group)
    await clients.start(consumer, 10)
    consumer.assign([TopicPartition(events, 0)])
    await clients.bounded(consumer.commit({TopicPartition(events, 0): 4}), 10, "commit")
    await clients.stop(consumer)
    assert await group_lags(topics, readers) == {group: 6}
    assert await group_lags(topics, {group: [events], "other": [late]}) == {group: 6, "other": 1}


async def test_an_absent_kafka_is_storage_unavailable() -> None:
    """The caller can try again."""
    with pytest.raises(StorageUnavailable):
        await group_lags(KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}", request_timeout_s=1), {})
