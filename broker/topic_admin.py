"""Creates and lists the topics of sori.topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from runtime.kafka.clients import running_admin
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, TOPICS, Topic

_POLL_S = 0.02

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic of the registry as Kafka has it; `partitions` is 0 and `config` empty when it does not exist."""

    topic: Topic
    name: str
    partitions: int
    config: Mapping[str, str]

    @property
    def retention_ms(self) -> int | None:
        """Time retention in force, milliseconds; None for a compacted or missing topic."""
        value = self.config.get("retention.ms")
        return None if value is None or "compact" in self.config.get("cleanup.policy", "") else int(value)


@dataclass(frozen=True, slots=True)
class TopicChange:
    """What `apply_topics` did to one topic: created, widened or unchanged."""

    name: str
    action: str
    partitions: int


def wanted_partitions(topic: Topic, kafka: KafkaSettings) -> int:
    """The registry's count, except for the events topic, whose width is a setting."""
    return kafka.event_partitions if topic is EVENTS else topic.partitions


async def apply_topics(kafka: KafkaSettings) -> list[TopicChange]:
    """Create every missing topic and add partitions where there are too few; never removes or reduces anything.

    When it returns, every partition has a leader and can be written. Idempotent, also when two processes do it at
    once. The configuration of an existing topic stays as it is: an operator may have changed it on purpose.
    Raises StorageUnavailable when Kafka does not answer or refuses.
    """
    async with _admin(kafka) as admin:
        have = await _partition_counts(admin)
        missing = [topic for topic in TOPICS if topic.name(kafka.topic_prefix) not in have]
        if missing:
            await _create(admin, missing, kafka)
        changes = [await _apply_one(admin, topic, have, kafka) for topic in TOPICS]
        await _until_usable(admin, {change.name: change.partitions for change in changes})
        return changes


async def list_topics(kafka: KafkaSettings) -> list[TopicState]:
    """Every topic of the registry with its real partition count and configuration. Raises StorageUnavailable."""
    async with _admin(kafka) as admin:
        have = await _partition_counts(admin)
        names = [topic.name(kafka.topic_prefix) for topic in TOPICS]
        configs = await _configs(admin, [name for name in names if name in have])
        return [
            TopicState(topic, name, have.get(name, 0), configs.get(name, {}))
            for topic, name in zip(TOPICS, names, strict=True)
        ]


async def delete_topics(kafka: KafkaSettings) -> None:
    """Delete every topic under the prefix, with its records, and wait until brokers say so: for tests and demos.

    Raises StorageUnavailable.
    """
    async with _admin(kafka) as admin:
        names = {topic.name(kafka.topic_prefix) for topic in TOPICS}
        if have := names & set(await _partition_counts(admin)):
            await admin.delete_topics(sorted(have))
        until = time.monotonic() + kafka.request_timeout_s
        # a broker hears of it a moment later: who made them anew until then would be told that they are there
        while names & set(await _partition_counts(admin)):
            if time.monotonic() > until:
                raise StorageUnavailable("topics that were deleted are still there")
            await asyncio.sleep(_POLL_S)


async def _apply_one(
    admin: AIOKafkaAdminClient, topic: Topic, have: Mapping[str, int], kafka: KafkaSettings
) -> TopicChange:
    name, wanted = topic.name(kafka.topic_prefix), wanted_partitions(topic, kafka)
    if name not in have:
        return TopicChange(name, "created", wanted)
    if have[name] >= wanted:
        return TopicChange(name, "unchanged", have[name])
    await admin.create_partitions({name: NewPartitions(wanted)})
    _log.info("topic_widened", topic=name, partitions=wanted, before=have[name])
    return TopicChange(name, "widened", wanted)


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], kafka: KafkaSettings) -> None:
    new = [
        NewTopic(
            topic.name(kafka.topic_prefix),
            wanted_partitions(topic, kafka),
            kafka.replication,
            topic_configs={**topic.config(), **_in_sync(kafka.replication)},
        )
        for topic in topics
    ]
    response = await admin.create_topics(new)
    for name, code, *detail in response.topic_errors:
        if code in {0, TopicAlreadyExistsError.errno}:  # another process was faster: the same result
            continue
        raise StorageUnavailable(f"Kafka refuses to create {name}: {for_code(code).__name__} {detail[0] or ''}".strip())


def _in_sync(replicas: int) -> dict[str, str]:
    """From three replicas on, a write waits for two: a 2xx then outlives a broker, and writes go on without it."""
    return {"min.insync.replicas": "2"} if replicas >= 3 else {}


async def _until_usable(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Kafka creates asynchronously: wait until every partition shows with a leader. The caller's timeout bounds it."""
    while True:
        have = await _partition_counts(admin, led_only=True)
        if all(have.get(name, 0) >= count for name, count in wanted.items()):
            return
        await asyncio.sleep(_POLL_S)


async def _partition_counts(admin: AIOKafkaAdminClient, *, led_only: bool = False) -> dict[str, int]:
    """Partitions per topic of the whole cluster: asking for a topic by name would create it where auto-create is on."""
    return {
        topic["topic"]: sum(1 for partition in topic["partitions"] if not led_only or partition["leader"] >= 0)
        for topic in await admin.describe_topics()
    }


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    keys = {"retention.ms": "", "cleanup.policy": ""}
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, n, keys) for n in names])
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for _code, _message, _type, name, entries in response.resources
    }


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client; everything that is done with it is bounded together. Raises StorageUnavailable."""
    try:
        async with running_admin(kafka) as admin, asyncio.timeout(2 * kafka.request_timeout_s):
            yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise StorageUnavailable(f"Kafka at {kafka.bootstrap} does not answer: {reason}") from error
