"""Reads back what is published of alerts, for whoever takes a partition over whose commit is in doubt."""

from __future__ import annotations

from aiokafka import TopicPartition

from runtime.kafka.clients import bounded, known_partitions, make_consumer, running
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS
from streams.alerts.published import Alerts, newest_alerts

_WAIT_MS = 1_000


async def read_alerts(kafka: KafkaSettings, since_ms: int) -> dict[str, Alerts]:
    """Newest states of alerts told since a time of receipt, by hop and partition. Raises StorageUnavailable."""
    topic, timeout_s = FRAUD_ALERTS.name(kafka.topic_prefix), kafka.request_timeout_s
    async with running(make_consumer(kafka, group_id=None), timeout_s, "alerts") as consumer:
        numbers = await bounded(known_partitions(consumer, topic), timeout_s, "partitions")
        tps = [TopicPartition(topic, number) for number in sorted(numbers)]
        if not tps:
            return {}
        consumer.assign(tps)
        ends = await bounded(consumer.end_offsets(tps), timeout_s, "offsets")
        begins = await bounded(consumer.offsets_for_times(dict.fromkeys(tps, max(0, since_ms))), timeout_s, "offsets")
        for tp in tps:
            found = begins.get(tp)
            consumer.seek(tp, ends[tp] if found is None else found.offset)
        records: list[tuple[list[tuple[str, bytes]], bytes | None]] = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            fetched = await bounded(consumer.getmany(timeout_ms=_WAIT_MS), timeout_s, "alerts")
            records += [(list(one.headers), one.value) for batch in fetched.values() for one in batch]
    return newest_alerts(records)
