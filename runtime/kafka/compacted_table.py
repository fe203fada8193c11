"""A compacted topic of one partition as a table: the newest value of each key, kept current, written through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from runtime.kafka import clients
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import MOST_BYTES, Topic

_WAIT_MS = 100
_RETRY_S = 1.0
_log = structlog.get_logger(__name__)


class CompactedTable:
    """Read `values`, write with `put`. A write is acknowledged by Kafka, and seen in `values`, when `put` returns.

    The last writer of a key wins. Use `running`.
    """

    def __init__(self, kafka: KafkaSettings, topic: Topic) -> None:
        self._kafka = kafka
        self._partition = TopicPartition(topic.name(kafka.topic_prefix), 0)
        self._values: dict[str, bytes] = {}
        self._position = 0
        self._moved = asyncio.Condition()
        self._listeners: list[Callable[[str, bytes | None], None]] = []
        self._consumer: AIOKafkaConsumer = None
        self._producer: AIOKafkaProducer = None

    @property
    def values(self) -> Mapping[str, bytes]:
        """The newest value of every key."""
        return self._values

    def listen(self, listener: Callable[[str, bytes | None], None]) -> None:
        """Call `listener(key, value)` on every change from now on; a deleted key has None."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CompactedTable]:
        """Have the whole table at the start of the block and follow it while that runs. Raises StorageUnavailable."""
        timeout_s = self._kafka.request_timeout_s
        what = self._partition.topic
        async with (
            # each is made when the one before runs: one that never started cannot be stopped
            clients.running(
                clients.make_consumer(self._kafka, fetch_max_wait_ms=_WAIT_MS), timeout_s, what
            ) as self._consumer,
            clients.running(
                clients.make_producer(self._kafka, max_request_size=MOST_BYTES), timeout_s, what
            ) as self._producer,
        ):
            await self._load()
            task = asyncio.create_task(self._follow(), name=f"table-{self._partition.topic}")
            try:
                yield self
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def put(self, key: str, value: bytes | None) -> None:
        """Write one key, None deletes it. Raises StorageUnavailable; the write may have happened all the same."""
        sent = await self.put_all({key: value})
        await clients.bounded(self._reached(sent + 1), self._kafka.request_timeout_s, "read back")

    async def put_all(self, values: Mapping[str, bytes | None], timestamp_ms: int | None = None) -> int:
        """Write several keys, in this order, and wait for Kafka only; the last offset. Raises StorageUnavailable."""
        topic, partition = self._partition

        async def write() -> int:
            futures = [
                await self._producer.send(
                    topic, value, key=key.encode(), partition=partition, timestamp_ms=timestamp_ms
                )
                for key, value in values.items()
            ]
            return max([(await future).offset for future in futures], default=-1)

        return await clients.bounded(write(), self._kafka.request_timeout_s, f"write {topic}")

    async def _load(self) -> None:
        self._consumer.assign([self._partition])
        timeout_s = self._kafka.request_timeout_s
        await clients.bounded(self._consumer.seek_to_beginning(self._partition), timeout_s, "seek")
        ends = await clients.bounded(self._consumer.end_offsets([self._partition]), timeout_s, "offsets")
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self._position < ends[self._partition]:
            if asyncio.get_running_loop().time() > deadline:
                raise StorageUnavailable(f"{self._partition.topic}: cannot be read in time")
            if await self._step():
                deadline = asyncio.get_running_loop().time() + timeout_s

    async def _follow(self) -> None:
        while True:
            try:
                await self._step()
            except KafkaError as error:
                _log.warning("kafka_read_failed", topic=self._partition.topic, error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _step(self) -> bool:
        fetched = await self._consumer.getmany(timeout_ms=_WAIT_MS)
        for records in fetched.values():
            for record in records:
                self._apply((record.key or b"").decode(errors="replace"), record.value)
        # compaction leaves gaps: the consumer's position is what was read, not the last record's offset
        position = await self._consumer.position(self._partition)
        if position > self._position:
            self._position = position
            async with self._moved:
                self._moved.notify_all()
        return bool(fetched)

    def _apply(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        for listener in self._listeners:
            listener(key, value)

    async def _reached(self, position: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= position)
