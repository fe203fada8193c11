"""The log of verdicts, followed: what analysts allow comes into force without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runtime.kafka.clients import bounded, make_consumer, start, stop
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import VERDICTS
from streams.alerts.allowances import VerdictHistory

_WAIT_MS = 100
_RETRY_S = 1.0
_log = structlog.get_logger(__name__)


def _nothing() -> None:
    pass


class VerdictLog:
    """Reads `sori.verdicts` from its beginning into `history`, and tells `changed` of what changes what is allowed.

    Use `running`.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._tp = TopicPartition(VERDICTS.name(kafka.topic_prefix), 0)
        self.history = VerdictHistory()
        self.changed: Callable[[], None] = _nothing
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._position = 0
        self._moved = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The block in which it may be used."""
        try:
            yield
        finally:
            if self._following is not None:
                self._following.cancel()
                with suppress(asyncio.CancelledError):
                    await self._following
            if self._consumer is not None:
                await stop(self._consumer)

    async def reach_end(self) -> None:
        """Have read all that stands in the log now. Raises StorageUnavailable."""
        timeout_s = self._kafka.request_timeout_s
        consumer = await self._started()
        end = (await bounded(consumer.end_offsets([self._tp]), timeout_s, self._tp.topic))[self._tp]
        while self._position < end:
            before = self._position
            with suppress(StorageUnavailable):
                await bounded(self._reached(end), timeout_s, self._tp.topic)
            if before == self._position:
                raise StorageUnavailable(f"{self._tp.topic}: nothing to read before {end}")

    async def _started(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._consumer is None:
                consumer = make_consumer(self._kafka, fetch_max_wait_ms=_WAIT_MS)
                await start(consumer, self._kafka.request_timeout_s, self._tp.topic)
                consumer.assign([self._tp])
                await consumer.seek_to_beginning(self._tp)
                self._consumer = consumer
                self._following = asyncio.create_task(self._follow(consumer), name="verdicts")
        return self._consumer

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                await self._step(consumer)
            except KafkaError as error:
                _log.warning("kafka_read_failed", topic=self._tp.topic, error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _step(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
        news = False
        for record in fetched.get(self._tp, ()):
            key = (record.key or b"").decode(errors="replace")
            news = self.history.take(record.offset, key, record.value) or news
        # compaction leaves gaps: the consumer's position is what was read, not the last record's offset
        position = await consumer.position(self._tp)
        if position != self._position:
            self._position = position
            async with self._moved:
                self._moved.notify_all()
        if news:
            _log.info("verdicts_changed", position=self.history.newest)
            self.changed()

    async def _reached(self, position: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= position)
