"""Starting and stopping clients of Kafka; against real brokers in every other folder."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from broker.topic_admin import apply_topics, delete_topics
from runtime.kafka.clients import make_consumer, running
from sori import topics as registry
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from testkit.wait import wait_until


class Stubborn:
    """Goes on connecting for a while after it was cancelled, as aiokafka does."""

    def __init__(self) -> None:
        self.connected = False

    async def start(self) -> None:
        """Swallows the first cancellation."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(10):
                await asyncio.sleep(0)
            self.connected = True

    async def stop(self) -> None:
        """Closes what is open now."""
        self.connected = False


async def test_a_start_that_is_given_up_leaves_no_connection() -> None:
    """It ends before the client is stopped, so that nothing is opened behind the stop."""
    client = Stubborn()
    with pytest.raises(StorageUnavailable):
        async with running(client, 0.01):
            pass
    await asyncio.sleep(0)
    assert not client.connected
    assert len(asyncio.all_tasks()) == 1


async def test_a_start_that_is_cancelled_leaves_no_connection() -> None:
    """As when a service ends while one of its parts connects."""
    client = Stubborn()

    async def connect() -> None:
        async with running(client, 60):
            pass

    task = asyncio.create_task(connect())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not client.connected
    assert len(asyncio.all_tasks()) == 1


async def test_a_consumer_whose_topic_is_gone_does_not_hammer_the_broker(
    topics: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka would ask thousands of times a second where the topic is, and leave its loop no time for others."""
    name = registry.VERDICTS.name(topics.topic_prefix)
    async with running(make_consumer(topics, group_id=None, metadata_max_age_ms=500), 10) as consumer:
        consumer.assign([TopicPartition(name, 0)])
        asked, inner = [], consumer._client._metadata_update

        async def update(*args):
            asked.append(1)
            return await inner(*args)

        monkeypatch.setattr(consumer._client, "_metadata_update", update)
        await delete_topics(topics)
        await wait_until(lambda: name not in consumer._client.cluster.topics(), 20)
        asked.clear()
        for _ in range(20):
            await consumer.getmany(timeout_ms=100)
        assert 0 < len(asked) <= 100
        await apply_topics(topics)
        await wait_until(lambda: name in consumer._client.cluster.topics(), 20)
