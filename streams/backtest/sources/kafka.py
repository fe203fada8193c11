"""History from Kafka: the events topic by time of receipt, and from the roll-up topic when workers flushed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.kafka.clients import bounded, known_partitions, make_consumer, start, stop
from sori.errors import ConfigError
from sori.settings.kafka import KafkaSettings
from sori.topics import EVENTS, GEO_ROLLUPS
from streams.backtest.sources.history import Batch, Facts, Flush, Mark, Span

T = TypeVar("T")

#: Length of a stretch of receipt at first; then as long as holds about so many records.
_FIRST_STRETCH_MS = 60_000
_LONGEST_STRETCH_MS = 3_600_000
_WANTED = 200_000
_MINUTE_MS = 60_000


class _Head(msgspec.Struct):
    source_partition: int
    version: int


_head = msgspec.json.Decoder(_Head).decode


class KafkaHistory:
    """The events topic. Only what is in Kafka when it is opened is read. Close it at the end."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._consumer: AIOKafkaConsumer | None = None
        self._events: dict[int, tuple[int, int]] = {}

    def close(self) -> None:
        """Leave Kafka."""
        if self._consumer is not None:
            self._runner.run(stop(self._consumer))
            self._consumer = None
        self._runner.close()

    def facts(self, span: Span) -> Facts:
        """Looks up offsets by time, and reads the roll-up topic of the span."""
        return self._run(self._facts(span))

    def as_flushed(self, span: Span, facts: Facts) -> Facts:
        """What another source knows, and when workers flushed, as far as the roll-up topic still tells."""
        topic = GEO_ROLLUPS.name(self._settings.topic_prefix)
        flushes, whole, places = self._run(self._flushes(topic, Span(span.from_ms, None)))
        return replace(facts, flushes=flushes, all_flushes=whole, place_partitions=places)

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span, a stretch of receipt at a time."""
        bounds = self._run(self._bounds(EVENTS.name(self._settings.topic_prefix), span))
        total = sum(end - begin for begin, end in bounds.values())
        position, given = {number: begin for number, (begin, _) in bounds.items()}, 0
        until, length = self._run(self._first_time(bounds)) // _MINUTE_MS * _MINUTE_MS, _FIRST_STRETCH_MS
        while given < total:
            until += length
            ends = self._run(self._offsets_at(EVENTS.name(self._settings.topic_prefix), until, bounds))
            before = given
            for number, end in ends.items():
                for records in self._records(EVENTS.name(self._settings.topic_prefix), number, position[number], end):
                    yield Batch(number, records)
                given += max(0, end - position[number])
                position[number] = max(position[number], end)
            yield Mark(until)
            length = _next_length(length, given - before)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _facts(self, span: Span) -> Facts:
        prefix = self._settings.topic_prefix
        bounds = await self._bounds(EVENTS.name(prefix), span)
        # a worker that lags flushes later than the events came: read on to the end
        flushes, whole, places = await self._flushes(GEO_ROLLUPS.name(prefix), Span(span.from_ms, None))
        begin = await self._first_time(bounds)
        starts = {number: first for number, (first, _) in bounds.items()}
        sizes = {number: end - first for number, (first, end) in bounds.items()}
        return Facts(begin, starts, flushes, whole, places, sizes)

    async def _flushes(self, topic: str, span: Span) -> tuple[list[Flush], bool, int]:
        bounds = await self._bounds(topic, span)
        found: list[Flush] = []
        for number, (begin, end) in sorted(bounds.items()):
            async for records in self._fetch(topic, number, begin, end):
                for record in records:
                    head = _head((record.value or b"").partition(b"\n")[0])
                    found.append(Flush(number, record.offset, head.source_partition, head.version))
        partitions = await self._partitions(topic)
        return found, not any(begin for begin, _ in bounds.values()), len(partitions)

    async def _client(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = make_consumer(
                self._settings, max_partition_fetch_bytes=8 * 1024 * 1024, fetch_max_wait_ms=100
            )
            await start(self._consumer, self._settings.request_timeout_s)
        return self._consumer

    async def _partitions(self, topic: str) -> list[int]:
        consumer = await self._client()
        found = await self._ask(known_partitions(consumer, topic), "metadata")
        if not found:
            raise ConfigError(f"Kafka has no topic {topic}")
        return sorted(found)

    async def _bounds(self, topic: str, span: Span) -> dict[int, tuple[int, int]]:
        """First offset and the one after the last of each partition that has records in the span."""
        consumer = await self._client()
        tps = [TopicPartition(topic, number) for number in await self._partitions(topic)]
        first = await self._ask(consumer.beginning_offsets(tps), "first offsets")
        last = await self._ask(consumer.end_offsets(tps), "last offsets")
        whole = {tp.partition: (first[tp], last[tp]) for tp in tps}
        begins = {number: begin for number, (begin, _) in whole.items()}
        if span.from_ms is not None:
            begins = await self._offsets_at(topic, span.from_ms, whole)
        ends = {number: end for number, (_, end) in whole.items()}
        if span.to_ms is not None:
            ends = await self._offsets_at(topic, span.to_ms, whole)
        return {number: (begins[number], ends[number]) for number in whole if begins[number] < ends[number]}

    async def _offsets_at(self, topic: str, ms: int, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """First offset received at `ms` or later, within bounds."""
        consumer = await self._client()
        wanted = {TopicPartition(topic, number): max(0, ms) for number in bounds}
        found = await self._ask(consumer.offsets_for_times(wanted), "offsets by time")
        return {
            tp.partition: min(bounds[tp.partition][1], at.offset) if at is not None else bounds[tp.partition][1]
            for tp, at in found.items()
        }

    async def _first_time(self, bounds: Mapping[int, tuple[int, int]]) -> int:
        topic = EVENTS.name(self._settings.topic_prefix)
        return min(
            [
                records[0].timestamp
                for number, (begin, _) in bounds.items()
                async for records in self._fetch(topic, number, begin, begin + 1)
            ],
            default=0,
        )

    def _records(self, topic: str, number: int, begin: int, end: int) -> Iterator[list[Any]]:
        fetching = self._fetch(topic, number, begin, end)

        async def following() -> list[Any] | None:
            return await anext(fetching, None)

        while (records := self._run(following())) is not None:
            yield records

    async def _fetch(self, topic: str, number: int, begin: int, end: int) -> AsyncIterator[list[Any]]:
        """Records of one partition in [begin, end), batch by batch."""
        if begin >= end:
            return
        consumer = await self._client()
        tp = TopicPartition(topic, number)
        consumer.assign([tp])
        consumer.seek(tp, begin)
        position = begin
        while position < end:
            timeout_s = self._settings.request_timeout_s
            found = await self._ask(consumer.getmany(tp, timeout_ms=int(timeout_s * 1000)), "records")
            records = found.get(tp, [])
            position = await self._ask(consumer.position(tp), "position")
            records = [record for record in records if begin <= record.offset < end]
            if records:
                yield records

    async def _ask(self, call: Coroutine[Any, Any, T], what: str) -> T:
        return await bounded(call, self._settings.request_timeout_s * 2, what)


def _next_length(length_ms: int, records: int) -> int:
    """So long that it holds about as many records as wanted; whole minutes."""
    if records == 0:
        return min(length_ms * 4, _LONGEST_STRETCH_MS)
    wanted = length_ms * _WANTED // records // _MINUTE_MS * _MINUTE_MS
    return max(_MINUTE_MS, min(wanted, length_ms * 4, _LONGEST_STRETCH_MS))
