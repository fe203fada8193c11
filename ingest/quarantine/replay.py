"""Reads the quarantine topic and replays from it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from ingest.admission.admit import AdmissionPolicy, Refused
from ingest.admission.endpoints import load_endpoints
from ingest.admission.reading_policy import reading_policy
from ingest.admission.record import Record
from ingest.quarantine.held import Held, Stored, about, fold, marker, readmit
from ingest.storage.kafka_writer import KafkaLog
from runtime.kafka.clients import bounded, known_partitions, make_consumer, running
from sori.errors import StorageUnavailable
from sori.quarantine import UNKNOWN, Known, parse
from sori.settings import Settings
from sori.settings.kept_secret import with_kept_secret
from sori.signature import SCHEMES
from sori.topics import EVENTS, QUARANTINE

_FETCH_MS = 1_000
_WRITE_TIMEOUT_S = 10.0
_BATCH = 500


@dataclass
class Replay:
    """What became of a replay."""

    landed: list[Held] = field(default_factory=list)
    refused: list[tuple[Held, Refused]] = field(default_factory=list)


async def read_held(
    settings: Settings,
    only: Collection[str] | None = None,
    within_s: float | None = None,
    known: Known = UNKNOWN,
) -> list[Held]:
    """What is in quarantine now, oldest first; with `only`, bodies of these ids alone are kept in memory.

    With `known` only these rows and what came after it are read. Raises StorageUnavailable, also when that takes more
    than `within_s` seconds.
    """
    kafka, until = settings.kafka, math.inf if within_s is None else time.monotonic() + within_s
    topic, timeout_s = QUARANTINE.name(kafka.topic_prefix), kafka.request_timeout_s
    async with running(make_consumer(kafka), timeout_s) as consumer:
        partitions = await bounded(known_partitions(consumer, topic), timeout_s, "topic")
        reading = _Reading(consumer, [TopicPartition(topic, one) for one in sorted(partitions)], timeout_s, until)
        records = await reading.rows({one: at for one, at in known.rows.items() if only is None or one in only})
        if records is None:  # the database holds another log's rows
            records, known = [], UNKNOWN
        return fold([*records, *await reading.rest(known.seen, only)])


class _Reading:
    """Of one consumer. Each method raises StorageUnavailable."""

    def __init__(
        self, consumer: AIOKafkaConsumer, parts: Sequence[TopicPartition], timeout_s: float, until: float
    ) -> None:
        self._consumer = consumer
        self._parts = {part.partition: part for part in parts}
        self._timeout_s = timeout_s
        self._until = until

    async def rows(self, rows: Mapping[str, tuple[int, int]]) -> list[Stored] | None:
        """The records at these places that are still there; None where one is not what the database says."""
        begins = await self._offsets(self._consumer.beginning_offsets)
        ends = await self._offsets(self._consumer.end_offsets)
        found = []
        for one, (partition, offset) in sorted(rows.items(), key=lambda row: row[1]):
            part = self._parts.get(partition)
            if part is None or offset >= ends[part]:
                return None
            if offset < begins[part]:
                continue
            record = await self._record(part, offset)
            if record is None or parse(record.headers, record.value, record.timestamp_ms).id != one:
                return None
            found.append(record)
        return found

    async def rest(self, seen: Mapping[int, int], only: Collection[str] | None) -> list[Stored]:
        """Every record from `seen` on, from the oldest one where that says nothing; of a bounded size with `only`."""
        begins = await self._offsets(self._consumer.beginning_offsets)
        ends = await self._offsets(self._consumer.end_offsets)
        self._consumer.assign(list(self._parts.values()))
        missing = set()
        for part in self._parts.values():
            after = seen.get(part.partition, 0)
            start = max(begins[part], after if after <= ends[part] else 0)  # beyond the end: of another log
            self._consumer.seek(part, start)
            if start < ends[part]:
                missing.add(part)
        records: list[Stored] = []
        while missing:
            self._check_time()
            for part, batch in (await self._consumer.getmany(*missing, timeout_ms=_FETCH_MS)).items():
                found = [_stored(r) for r in batch]
                records += found if only is None else await asyncio.to_thread(about, found, only)
                if batch[-1].offset + 1 >= ends[part]:
                    missing.discard(part)
            for part in list(missing):  # also past what retention has deleted
                if await bounded(self._consumer.position(part), self._timeout_s, "position") >= ends[part]:
                    missing.discard(part)
        return records

    async def _record(self, part: TopicPartition, offset: int) -> Stored | None:
        self._consumer.assign([part])
        self._consumer.seek(part, offset)
        while True:
            self._check_time()
            batches = await self._consumer.getmany(part, timeout_ms=_FETCH_MS, max_records=1)
            for r in batches.get(part, ()):
                return _stored(r) if r.offset == offset else None

    async def _offsets(self, ask: Callable[..., Awaitable[dict[TopicPartition, int]]]) -> dict[TopicPartition, int]:
        return dict(await bounded(ask(list(self._parts.values())), self._timeout_s, "offsets")) if self._parts else {}

    def _check_time(self) -> None:
        """Not cancelled from outside: the consumer is to say goodbye."""
        if time.monotonic() > self._until:
            raise StorageUnavailable(
                "the quarantine was not read in time (api.query_timeout_s): replay from the terminal"
            )


def _stored(record: ConsumerRecord[bytes, bytes]) -> Stored:
    return Stored(record.partition, record.offset, record.timestamp, record.headers, record.value or b"")


async def replay(settings: Settings, held: Sequence[Held]) -> Replay:
    """Send what is acceptable now to the events topic (a row of ours to its own), and mark it so.

    At least once: a replay that fails half-way repeats events, which their identity makes one. Raises ConfigError and
    StorageUnavailable.
    """
    ours, prefix = with_kept_secret(settings).ingest, settings.kafka.topic_prefix
    events, quarantine = EVENTS.name(prefix), QUARANTINE.name(prefix)
    scheme, skew_ms = SCHEMES[ours.signature_scheme], int(ours.max_clock_skew_s * 1000)
    rules = AdmissionPolicy(
        load_endpoints(ours), scheme, events, skew_ms, ours.max_inflated_bytes, reading=reading_policy(ours)
    )
    result, now_ms = Replay(), int(time.time() * 1000)
    acceptable: list[tuple[Held, Record]] = []
    for one in held:
        verdict = readmit(rules, one, now_ms)
        if isinstance(verdict, Refused):
            result.refused.append((one, verdict))
        else:
            acceptable.append((one, verdict))
    wanted = {events, quarantine, *(record.topic for _, record in acceptable)}
    log = KafkaLog(settings.kafka, sorted(wanted))
    try:
        await log.connect()
        for start in range(0, len(acceptable), _BATCH):
            batch = acceptable[start : start + _BATCH]
            await log.write([record for _, record in batch], _WRITE_TIMEOUT_S)
            await log.write([marker(quarantine, one, now_ms) for one, _ in batch], _WRITE_TIMEOUT_S)
            result.landed += [one for one, _ in batch]
    finally:
        await log.close()
    return result
