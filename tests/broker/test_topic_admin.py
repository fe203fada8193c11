"""The topic registry becomes real topics."""

from __future__ import annotations

import asyncio

import pytest

from broker.topic_admin import apply_topics, delete_topics, list_topics
from runtime.process.ports import free_port
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, TOPICS


async def test_apply_creates_every_topic_of_the_registry(kafka_settings: KafkaSettings) -> None:
    """After one apply every registered topic exists with its partitions, retention and cleanup policy."""
    changes = await apply_topics(kafka_settings)
    assert [change.action for change in changes] == ["created"] * len(TOPICS)
    states = {state.topic.suffix: state for state in await list_topics(kafka_settings)}
    assert all(states[topic.suffix].partitions == topic.partitions for topic in TOPICS)
    assert states["events"].retention_ms == EVENTS.retention_ms
    assert states["events"].name == f"{kafka_settings.topic_prefix}events"
    assert states["subscriptions"].config["cleanup.policy"] == "compact"
    assert states["subscriptions"].retention_ms is None
    await delete_topics(kafka_settings)


async def test_apply_twice_changes_nothing(topics: KafkaSettings) -> None:
    """Applying again reports every topic unchanged."""
    assert {change.action for change in await apply_topics(topics)} == {"unchanged"}


async def test_two_processes_may_apply_at_once(kafka_settings: KafkaSettings) -> None:
    """Concurrent applies both succeed: a topic created by the other counts as created."""
    await asyncio.gather(apply_topics(kafka_settings), apply_topics(kafka_settings))
    assert all(state.partitions for state in await list_topics(kafka_settings))
    await delete_topics(kafka_settings)


async def test_partitions_are_added_but_never_removed(topics: KafkaSettings) -> None:
    """A wider setting widens the events topic; a narrower one leaves it."""
    wider = topics.model_copy(update={"event_partitions": 8})
    assert _action(await apply_topics(wider), "events") == ("widened", 8)
    narrower = topics.model_copy(update={"event_partitions": 2})
    assert _action(await apply_topics(narrower), "events") == ("unchanged", 8)


async def test_a_missing_topic_is_listed_with_no_partitions(kafka_settings: KafkaSettings) -> None:
    """Listing before any apply shows the registry with nothing behind it."""
    assert {state.partitions for state in await list_topics(kafka_settings)} == {0}


async def test_an_absent_kafka_is_storage_unavailable() -> None:
    """Nobody listening is an error of ours with the address in it, within the timeout."""
    bootstrap = f"127.0.0.1:{free_port()}"
    with pytest.raises(StorageUnavailable, match=bootstrap):
        await apply_topics(KafkaSettings(bootstrap=bootstrap, request_timeout_s=1))


def _action(changes: list, suffix: str) -> tuple[str, int]:
    return next((change.action, change.partitions) for change in changes if change.name.endswith(suffix))
