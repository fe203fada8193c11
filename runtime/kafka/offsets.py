"""Committed offsets of any group with their metadata, which aiokafka's own consumer hides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runtime.kafka.clients import bounded, make_consumer, running, running_admin
from sori.settings.kafka import KafkaSettings


@dataclass(frozen=True, slots=True)
class Committed:
    """The next offset to read, and what its committer wrote beside it (empty: nothing)."""

    offset: int
    metadata: str


async def read_committed_offsets(
    kafka: KafkaSettings, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """What a group has committed of these partitions; those without a commit are absent. Raises StorageUnavailable."""
    if not partitions:
        return {}
    async with running_admin(kafka) as admin:
        return await committed_by(admin, group, partitions, kafka.request_timeout_s)


async def read_all_committed(kafka: KafkaSettings, group: str) -> dict[TopicPartition, Committed]:
    """What a group has committed of any partition. Raises StorageUnavailable."""
    async with running_admin(kafka) as admin:
        return await committed_by(admin, group, None, kafka.request_timeout_s)


async def read_end_offsets(kafka: KafkaSettings, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset that each partition's next record gets. Raises StorageUnavailable."""
    if not partitions:
        return {}
    consumer = make_consumer(kafka, group_id=None)
    async with running(consumer, kafka.request_timeout_s, "end offsets"):
        return dict(await bounded(consumer.end_offsets(list(partitions)), kafka.request_timeout_s, "end offsets"))


async def committed_by(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition] | None, timeout_s: float
) -> dict[TopicPartition, Committed]:
    """The same over a running admin client; None: of any partition."""
    call = admin.list_consumer_group_offsets(group, partitions=None if partitions is None else list(partitions))
    found = await bounded(call, timeout_s, f"committed offsets of {group}")
    # an offset of -1 stands for "nothing committed"
    return {part: Committed(read.offset, read.metadata or "") for part, read in found.items() if read.offset >= 0}
