"""Groups of records into Kafka, all acknowledged or none counted as such."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from ingest.admission.record import Record
from runtime.kafka.clients import abandon, bounded, make_producer, start, stop
from runtime.kafka.explain import explain
from runtime.kafka.partitioner import key_hash
from sori.errors import StorageUnavailable
from sori.remembered import Remembered
from sori.settings.kafka import KafkaSettings

#: Room for one group's share of a partition; a group is bounded far below it.
_BATCH_BYTES = 16 * 1024 * 1024
#: Placing a key costs 2 us in Python and devices come back: remember this much of them, some 60,000 usual ids.
_CACHED_BYTES = 16 * 1024 * 1024

_PERMANENT = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTimestampError,
)

_WHICH = "topic {} (if it does not exist: sori topics apply)"

_log = structlog.get_logger(__name__)


class RecordsRejected(StorageUnavailable):
    """The broker is there and refuses a record for good; the rest of the group may or may not be stored."""


class KafkaLog:
    """One idempotent producer, replaced after every failure: a failed batch leaves a hole in its sequence numbers.

    `write` is at-least-once: after an error, records may have been stored all the same. Not for concurrent writes.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str], *, connect_timeout_s: float = 5.0) -> None:
        self._settings = settings
        self._topics = topics
        self._connect_timeout_s = connect_timeout_s
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, int] = {}
        self._cache: Remembered[tuple[str, bytes], int] = Remembered(_CACHED_BYTES)
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the last thing we heard of Kafka was good."""
        return self._producer is not None

    async def connect(self) -> None:
        """Connect afresh and see that every topic is there. Raises StorageUnavailable."""
        self.disconnect()
        producer = make_producer(self._settings, max_batch_size=_BATCH_BYTES, max_request_size=_BATCH_BYTES)
        await start(producer, self._connect_timeout_s)
        try:
            for topic in self._topics:
                found = await bounded(producer.partitions_for(topic), self._connect_timeout_s, _WHICH.format(topic))
                if self._partitions.get(topic) != len(found):
                    self._partitions[topic] = len(found)
                    self._cache.clear()
        except BaseException:
            await abandon(producer)
            raise
        self._producer = producer

    async def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Store records, in order per key, and return when all replicas have them.

        Raises StorageUnavailable (RecordsRejected if trying again is useless) and disconnects.
        """
        producer = self._producer
        if producer is None:
            raise StorageUnavailable("not connected to Kafka")
        try:
            # no task in between: each would cost a turn of a loop that is busy with requests, and acks come later
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*await self._hand_over(producer, records))
        except TimeoutError as error:
            self.disconnect()
            raise StorageUnavailable(f"no acknowledgement from Kafka within {timeout_s:g} s") from error
        except _PERMANENT as error:
            self.disconnect()
            raise RecordsRejected(f"produce: {error!r}") from error
        except Exception as error:
            self.disconnect()
            if not isinstance(error, KafkaError | OSError):
                _log.exception("produce_failed")  # a bug of aiokafka's or ours must not stop events from being spooled
            raise StorageUnavailable(f"produce: {explain(error) or repr(error)}") from error

    async def _hand_over(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> list[asyncio.Future[Any]]:
        """One batch per partition: aiokafka's send() per record costs several times the builder's append."""
        batches: dict[tuple[str, int], Any] = {}
        for topic, key, value, timestamp_ms, headers in records:
            place = topic, self._partition(topic, key)
            batch = batches.get(place)
            if batch is None:
                batch = batches[place] = producer.create_batch()
            if batch.append(timestamp=timestamp_ms, key=key, value=value, headers=headers) is None:
                raise MessageSizeTooLargeError(f"{len(value)} bytes do not fit a batch of {_BATCH_BYTES}")
        for batch in batches.values():
            batch.close()
        futures: list[asyncio.Future[Any]] = []
        try:
            for (topic, partition), batch in batches.items():
                futures.append(await producer.send_batch(batch, topic, partition=partition))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return futures

    def _partition(self, topic: str, key: bytes) -> int:
        """Kafka's default partitioner, so that any other producer agrees with us."""
        place = topic, key
        partition = self._cache.get(place)
        if partition is None:
            partition = self._cache.remember(place, key_hash(key) % self._partitions[topic], len(key))
        return partition

    def disconnect(self) -> None:
        """Drop the producer at once; it is taken down in the background."""
        if (producer := self._producer) is not None:
            self._producer = None
            task = asyncio.get_running_loop().create_task(abandon(producer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Flush and close, bounded."""
        if (producer := self._producer) is not None:
            self._producer = None
            await stop(producer)
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)
