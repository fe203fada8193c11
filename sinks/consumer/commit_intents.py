"""What a sink writes into Kafka's committed offsets: where it stands, and which block it was about to insert.

Before an insert the sink commits its unchanged offsets with the batch's ranges as metadata (the intent), after it the
new offsets without. Whoever takes a partition over finds the intent, reads exactly those ranges again and inserts them
under the same token: ClickHouse then drops the block if it was stored, and takes it if it was not.

Both name the log that their offsets belong to. What another log's offsets say means nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.kafka import clients as kafka_clients
from runtime.kafka.offsets import read_committed_offsets
from sinks.batch import Batch, LogEra, Ranges, Record, make_batch
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Committed offset per partition (absent where none is), its log, and the intents found beside them."""

    offsets: Mapping[int, int]
    logs: Mapping[int, LogEra]
    intents: tuple[Ranges, ...]


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where to go on in one log: offsets (absent: at its beginning), intents to repeat, and what did not fit.

    `log` has an era of its own as soon as its end lies before what was committed: its offsets mean other records then.
    """

    log: LogEra
    offsets: Mapping[int, int]
    intents: tuple[Ranges, ...]
    restarted: tuple[int, ...]


def resume(
    standing: Standing, key: int, ends: Mapping[int, int], begins: Mapping[int, int] = MappingProxyType({})
) -> Resumption:
    """What of `standing` is about the log `key`, whose partitions begin and end where these say.

    Of an intent whose records are gone in part nothing can be repeated: what is left of them is read as any others.
    """
    ours = {p for p in standing.offsets if standing.logs[p].key in (0, key)}
    kept = {p for p in ours if standing.offsets[p] <= ends.get(p, 0)}
    intents = [i for i in standing.intents if i.log.key in (0, key)]
    whole = [i for i in intents if all(after <= ends.get(p, 0) for p, (_, after) in i.by_partition.items())]
    cut_off = len(kept) < len(ours) or len(whole) < len(intents)
    eras = [standing.logs[p].era for p in ours if standing.logs[p].key == key]
    era = LogEra(key, max(eras, default=0) + cut_off)
    offsets = {p: standing.offsets[p] for p in kept}
    there = [i for i in whole if all(first >= begins.get(p, 0) for p, (first, _) in i.by_partition.items())]
    return Resumption(era, offsets, tuple(there), tuple(sorted(standing.offsets.keys() - kept)))


async def read_standing(kafka: KafkaSettings, group: str, topic: str, partitions: Iterable[int]) -> Standing:
    """Read committed offsets and the intents beside them. Raises StorageUnavailable."""
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    found = await read_committed_offsets(kafka, group, wanted)
    offsets = {tp.partition: entry.offset for tp, entry in found.items()}
    notes = {tp.partition: _decode(topic, entry.metadata) for tp, entry in found.items()}
    intents = {note.encode(): note for note in notes.values() if note.by_partition}
    logs = {partition: note.log for partition, note in notes.items()}
    return Standing(offsets, logs, tuple(intent for _, intent in sorted(intents.items())))


def _decode(topic: str, note: str) -> Ranges:
    if note:
        try:
            return Ranges.decode(topic, note)
        except ValueError:
            _log.warning("commit_metadata_unknown", topic=topic, metadata=note[:100])
    return Ranges(topic, {})


def open_partitions(intent: Ranges, offsets: Mapping[int, int]) -> list[int]:
    """Those partitions of the intended block that still stand before it."""
    return [p for p, (first, _) in intent.by_partition.items() if offsets.get(p) == first]


async def read_ranges(kafka: KafkaSettings, ranges: Ranges) -> Batch:
    """Read exactly these offsets again, outside any group. Raises StorageUnavailable when Kafka does not deliver."""
    consumer = kafka_clients.make_consumer(kafka, group_id=None)
    async with kafka_clients.running(consumer, kafka.request_timeout_s, "re-read"):
        spans = {TopicPartition(ranges.topic, p): span for p, span in ranges.by_partition.items()}
        consumer.assign(list(spans))
        for tp, (first, _) in spans.items():
            consumer.seek(tp, first)
        held = await _fetch(consumer, spans, kafka.request_timeout_s)
    return Batch(ranges, make_batch(ranges.topic, held, ranges.log).records)


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
