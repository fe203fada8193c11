"""The topic that snapshots of operator state are kept in: records are read by their positions, in one sweep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from runtime.kafka.clients import bounded, make_consumer, make_producer, start, stop
from sori.errors import SnapshotRefused, StorageUnavailable
from sori.settings import Settings
from sori.topics import MOST_BYTES, STATE

_WAIT_MS = 100
_MOST_RESTING = 4
#: Fetched at once: whole snapshots are read.
_FETCH_BYTES = 16 * 1024 * 1024


class Stored(NamedTuple):
    """A record of the topic."""

    at: int
    key: bytes
    value: bytes | None


class StateTopic:
    """Writes and reads records of `sori.state`. Use `running`; every call raises StorageUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._kafka = settings.kafka
        self._topic = STATE.name(settings.kafka.topic_prefix)
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        #: Consumers that read before and may read again: a start takes longer than most reads.
        self._resting: list[AIOKafkaConsumer] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The block in which it may be used."""
        try:
            yield
        finally:
            for client in (self._producer, *self._resting):
                if client is not None:
                    await stop(client)

    async def _started(self) -> AIOKafkaProducer:
        """A producer of its own, so that no alert waits behind a snapshot."""
        async with self._starting:
            if self._producer is None:
                producer = make_producer(self._kafka, max_request_size=MOST_BYTES, linger_ms=5)
                await start(producer, self._kafka.request_timeout_s, self._topic)
                self._producer = producer
        return self._producer

    async def partition_for(self, number: int) -> int:
        """Where to keep the state of a source's partition of this number."""
        asked = (await self._started()).partitions_for(self._topic)
        return number % len(await bounded(asked, self._kafka.request_timeout_s, self._topic))

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> list[int]:
        """Write records (key, value; None deletes) and return their positions, once Kafka has acknowledged all."""

        async def write() -> list[int]:
            producer = await self._started()
            sent = [await producer.send(self._topic, value, key, partition) for key, value in records]
            return [done.offset for done in await asyncio.gather(*sent)]

        return await bounded(write(), self._kafka.request_timeout_s, self._topic)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer, which rests afterwards unless something went wrong or enough of them do."""
        if self._resting:
            consumer = self._resting.pop()
        else:
            consumer = make_consumer(
                self._kafka,
                group_id=None,
                auto_offset_reset="none",
                fetch_max_wait_ms=_WAIT_MS,
                max_partition_fetch_bytes=_FETCH_BYTES,
            )
            await start(consumer, self._kafka.request_timeout_s, self._topic)
        rests = False
        try:
            yield consumer
            rests = len(self._resting) < _MOST_RESTING
        finally:
            if rests:
                consumer.unsubscribe()  # else it would fetch on
                self._resting.append(consumer)
            else:
                await stop(consumer)

    async def read(self, partition: int, positions: Collection[int]) -> AsyncIterator[Stored]:
        """All records from the first of these positions to the last. Raises SnapshotRefused beyond the topic's end."""
        first, last = min(positions), max(positions)
        tp, limit_s = TopicPartition(self._topic, partition), self._kafka.request_timeout_s
        async with self._reader() as consumer:
            consumer.assign([tp])
            end = (await bounded(consumer.end_offsets([tp]), limit_s, self._topic))[tp]
            if last >= end:
                raise SnapshotRefused(f"the snapshot lies at {last}, the state topic ends at {end}")
            consumer.seek(tp, first)
            silent_s, at = 0.0, first - 1
            while at < last:
                found = await bounded(consumer.getmany(timeout_ms=_WAIT_MS), limit_s, self._topic)
                silent_s = 0.0 if found else silent_s + _WAIT_MS / 1000
                if silent_s > limit_s:
                    raise StorageUnavailable(f"{self._topic}: nothing to read before {last}")
                for record in found.get(tp, ()):
                    at = record.offset
                    yield Stored(at, record.key or b"", record.value)
                    if at >= last:
                        return
