"""The state topic on the real Kafka: records are read by their positions, deleted ones are missing."""

from __future__ import annotations

import pytest

from sori.errors import SnapshotRefused, StorageUnavailable
from sori.settings import load_settings
from streams.kafka.state_topic import StateTopic


async def test_records_are_read_back_by_their_positions(topics):
    """In one sweep from the first to the last; larger than what brokers take by default, too."""
    storage = StateTopic(load_settings(kafka=topics.model_dump()))
    async with storage.running():
        partition = await storage.partition_for(7)
        first = await storage.append(partition, [(b"a", b"1"), (b"b", b"2" * 3_000_000)])
        second = await storage.append(partition, [(b"c", b"3"), (b"a", None)])
        assert first + second == [0, 1, 2, 3]
        found = [record async for record in storage.read(partition, second[:1] + first[1:])]
        assert [(record.at, record.key, len(record.value or b"")) for record in found] == [
            (1, b"b", 3_000_000),
            (2, b"c", 1),
        ]
        deleted = [record async for record in storage.read(partition, [3])]
        assert [record.value for record in deleted] == [None]
        with pytest.raises(SnapshotRefused):
            [record async for record in storage.read(partition, [0, 4])]


async def test_a_kafka_without_the_topic_is_an_error_that_names_it(kafka_settings):
    """It costs the snapshot, not the worker."""
    settings = load_settings(kafka={**kafka_settings.model_dump(), "request_timeout_s": 1.0})
    storage = StateTopic(settings)
    async with storage.running():
        with pytest.raises(StorageUnavailable, match="state"):
            await storage.append(0, [(b"a", b"1")])
        with pytest.raises((StorageUnavailable, SnapshotRefused)):
            [record async for record in storage.read(0, [0])]
