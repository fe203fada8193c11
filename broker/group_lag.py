"""How far consumer groups are behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from runtime.kafka import clients
from runtime.kafka.offsets import committed_by
from sori.settings.kafka import KafkaSettings

#: Topics that a group reads, by group.
Readers = Mapping[str, Sequence[str]]


async def group_lags(kafka: KafkaSettings, readers: Readers) -> dict[str, int]:
    """Records in the topics that each group has not committed yet; what was never committed counts whole.

    Raises StorageUnavailable when Kafka does not answer in time.
    """
    timeout_s = kafka.request_timeout_s
    async with (
        clients.running_admin(kafka) as admin,
        clients.running(clients.make_consumer(kafka), timeout_s, "read the end offsets") as consumer,
    ):
        described = await clients.bounded(admin.describe_topics(), timeout_s, "describe the topics")
        partitions = {topic["topic"]: [part["partition"] for part in topic["partitions"]] for topic in described}
        lags = {}
        for group, topics in readers.items():
            wanted = [TopicPartition(topic, number) for topic in topics for number in partitions.get(topic, [])]
            first = await clients.bounded(consumer.beginning_offsets(wanted), timeout_s, "read the first offsets")
            end = await clients.bounded(consumer.end_offsets(wanted), timeout_s, "read the end offsets")
            done = await committed_by(admin, group, wanted, timeout_s)
            lags[group] = sum(
                end[part] - max(first[part], done[part].offset if part in done else -1) for part in wanted
            )
        return lags
