"""A log is known by its cluster and topic id: the same name made anew is another log."""

from __future__ import annotations

import uuid

import pytest

from broker.topic_admin import apply_topics, delete_topics
from runtime.kafka.log_identity import LogIdentity, read_log_identity
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS
from testkit.wait import wait_until


async def test_a_topic_made_anew_is_another_log(kafka_settings: KafkaSettings) -> None:
    """The name stays, the identity does not; asking twice gives the same."""
    name = EVENTS.name(kafka_settings.topic_prefix)
    await apply_topics(kafka_settings)
    first = await read_log_identity(kafka_settings, name)
    assert first == await read_log_identity(kafka_settings, name)
    assert first.topic_id.int != 0
    assert first.cluster_id
    await delete_topics(kafka_settings)
    await wait_until(lambda: _is_gone(kafka_settings, name), what="deleted")
    await apply_topics(kafka_settings)
    second = await read_log_identity(kafka_settings, name)
    await delete_topics(kafka_settings)
    assert second.topic_id != first.topic_id
    assert second.key != first.key


async def _is_gone(kafka: KafkaSettings, name: str) -> bool:
    try:
        await read_log_identity(kafka, name)
    except StorageUnavailable:
        return True
    return False


async def test_a_topic_that_is_not_there_is_said_so(kafka_settings: KafkaSettings) -> None:
    """No identity is made up, and none is created by asking."""
    with pytest.raises(StorageUnavailable, match="run `sori topics apply`"):
        await read_log_identity(kafka_settings, "no-such-topic")


def test_the_key_tells_cluster_topic_and_id_apart() -> None:
    """Each part counts, and 0 stays free."""
    one, two = uuid.uuid4(), uuid.uuid4()
    logs = [LogIdentity(c, t, i) for c in ("a", "b") for t in ("x", "y") for i in (one, two)]
    assert len({log.key for log in logs}) == len(logs)
    assert all(0 < log.key < 2**32 for log in logs)
