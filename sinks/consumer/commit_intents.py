"""What a sink writes into Kafka's committed offsets: where it stands, and which block it was about to insert.

Before an insert the sink commits its unchanged offsets with the batch's ranges as metadata (the intent), after it the
new offsets without. Whoever takes a partition over finds the intent, reads exactly those ranges again and inserts them
under the same token: ClickHouse then drops the block if it was stored, and takes it if it was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.kafka import clients as kafka_clients
from runtime.kafka.offsets import read_committed_offsets
from sinks.batch import Batch, Ranges, Record, make_batch
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Committed offset per partition (absent where none is), and the intents found beside them."""

    offsets: Mapping[int, int]
    intents: tuple[Ranges, ...]


async def read_standing(kafka: KafkaSettings, group: str, topic: str, partitions: Iterable[int]) -> Standing:
    """Read committed offsets and the intents beside them. Raises StorageUnavailable."""
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    found = await read_committed_offsets(kafka, group, wanted)
    offsets = {tp.partition: entry.offset for tp, entry in found.items()}
    notes = {entry.metadata for entry in found.values() if entry.metadata}
    return Standing(offsets, tuple(_decode(topic, sorted(notes))))


def _decode(topic: str, notes: Iterable[str]) -> Iterable[Ranges]:
    for note in notes:
        try:
            yield Ranges.decode(topic, note)
        except ValueError:
            _log.warning("commit_metadata_unknown", topic=topic, metadata=note[:100])


def open_partitions(intent: Ranges, standing: Standing) -> list[int]:
    """Those partitions of the intended block that still stand before it."""
    return [p for p, (first, _) in intent.by_partition.items() if standing.offsets.get(p) == first]


async def read_ranges(kafka: KafkaSettings, ranges: Ranges) -> Batch:
    """Read exactly these offsets again, outside any group. Raises StorageUnavailable when Kafka does not deliver."""
    consumer = kafka_clients.make_consumer(kafka, group_id=None)
    async with kafka_clients.running(consumer, kafka.request_timeout_s, "re-read"):
        spans = {TopicPartition(ranges.topic, p): span for p, span in ranges.by_partition.items()}
        consumer.assign(list(spans))
        for tp, (first, _) in spans.items():
            consumer.seek(tp, first)
        held = await _fetch(consumer, spans, kafka.request_timeout_s)
    return Batch(ranges, make_batch(ranges.topic, held).records)


async def _fetch(
    consumer: AIOKafkaConsumer, spans: Mapping[TopicPartition, tuple[int, int]], timeout_s: float
) -> dict[int, list[Record]]:
    held: dict[int, list[Record]] = {tp.partition: [] for tp in spans}
    missing = set(spans)
    while missing:
        fetched = await kafka_clients.bounded(
            consumer.getmany(*missing, timeout_ms=int(timeout_s * 500)), timeout_s, "re-read"
        )
        if not fetched:
            raise StorageUnavailable(f"Kafka does not deliver {sorted(tp.partition for tp in missing)} again")
        for tp, records in fetched.items():
            after = spans[tp][1]
            held[tp.partition] += [record for record in records if record.offset < after]
            if records[-1].offset >= after - 1:
                missing.discard(tp)
                consumer.pause(tp)
    return held
