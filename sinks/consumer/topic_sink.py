"""Carries one topic into ClickHouse.

Delivery guarantee: at least once, and physically once as long as the target's deduplication window holds; offsets are
committed only after the insert returned. A crash, a rebalance or a failed answer leads to the same block being sent
again under the same token (see sinks/consumer/commit_intents.py). While one is inserted the next loads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from runtime.kafka import clients as kafka_clients
from runtime.kafka.fetched import MAX_RECORDS, FetchedRecords, fetch_raw
from runtime.kafka.log_identity import read_log_identity
from runtime.telemetry.metrics import counter, gauge, histogram
from sinks.batch import UNNAMED, Batch, Collector, LogEra, Ranges
from sinks.consumer.commit_intents import open_partitions, read_ranges, read_standing, resume
from sinks.consumer.log_book import LogBook
from sinks.consumer.rebalance import Assignment, Superseded
from sinks.consumer.unread import Unread, gaps
from sinks.insert.encoded_events import EncodedEvents
from sinks.insert.failures import InsertFailure
from sinks.insert.store import Store
from sinks.specs import SinkSpec
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.topics import EVENTS

_POLL_S = 0.1
_BUSY_POLL_S = 0.02
_KEEP_ALIVE_S = 30.0
_RETRY_S = 0.5
_DRAIN_S = 6.0
#: How often to look whether the topic is still the same log; commits name theirs, so later loses nothing.
_LOG_CHECK_S = 20.0
#: Taken out of a fetch at once: they are encoded before anything else happens, and may be much larger than they came.
_MOST_PIECES = 4
_log = structlog.get_logger(__name__)


class TopicSink:
    """One consumer of one topic, in a group of its own."""

    def __init__(
        self, spec: SinkSpec, store: Store, book: LogBook, settings: Settings, instance_id: str | None
    ) -> None:
        kafka = settings.kafka
        self._spec = spec
        self._store = store
        self._kafka = kafka
        self._settings = settings.sinks
        self._instance_id = instance_id
        self._topic = spec.topic.name(kafka.topic_prefix)
        self.group = f"{settings.sinks.group}.{spec.name}"
        self._events = EVENTS.name(kafka.topic_prefix), f"{settings.sinks.group}.{EVENTS.suffix}"
        self._book = book
        self._log: LogEra = UNNAMED
        self._log_check: asyncio.Task[bool] | None = None
        counter(metrics.SINKS_LOG_RESTARTS).labels(self._topic)  # there from the start: its first increase is an alert
        self._unread = Unread(spec.name, self._topic)
        self._assignment = Assignment()
        self._stopping = False
        self._unplaced = ""  # why there is no position to read from
        self._committed_at = self._polled_at = self._checked_at = time.monotonic()
        self._read: dict[TopicPartition, int] = {}
        self._collector = Collector(
            self._topic,
            max_rows=settings.sinks.max_batch_rows,
            max_bytes=settings.sinks.max_batch_bytes,
            max_age_s=spec.max_age_s,
        )
        self._consumer: AIOKafkaConsumer = None

    @property
    def name(self) -> str:
        """The sink's name."""
        return self._spec.name

    def owns(self, partition: int) -> bool:
        """Whether this process has that partition now."""
        return self._consumer is not None and TopicPartition(self._topic, partition) in self._consumer.assignment()

    @property
    def trouble(self) -> str:
        """Why this sink does not make progress, or an empty string."""
        if self._store.trouble or self._unplaced:
            return self._store.trouble or self._unplaced
        waiting = self._assignment.in_flight is not None or self._collector.rows > 0
        if waiting and time.monotonic() - self._committed_at > self._settings.stall_s:
            return f"rows waiting, and nothing committed for {self._settings.stall_s:g} s"
        return ""

    async def run(self, stop: asyncio.Event) -> None:
        """Read, store and commit until `stop`, then store what is held and leave the group.

        The service calls it once. Offsets are committed only after their rows are in ClickHouse or in quarantine.
        Raises StorageUnavailable when Kafka does not answer at the start; later it waits and tries again.
        """
        self._consumer = kafka_clients.make_consumer(
            self._kafka,
            group_id=self.group,
            group_instance_id=self._instance_id,
            session_timeout_ms=int(self._settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._settings.session_timeout_s * 1000 / 4),
            max_partition_fetch_bytes=8 * 1024 * 1024,
            metadata_max_age_ms=10_000,
            fetch_max_wait_ms=100,
        )
        self._consumer.subscribe([self._topic], listener=self._assignment)
        async with kafka_clients.running(self._consumer, self._kafka.request_timeout_s, f"sink {self._spec.name}"):
            try:
                while not stop.is_set():
                    await self._step()
                await self._drain()
            finally:
                if self._log_check is not None:  # to its end: cut off it would leave its connection open
                    await asyncio.wait({self._log_check}, timeout=self._kafka.request_timeout_s)

    async def _step(self) -> None:
        if self._assignment.stale:
            await self._take_position()
            return
        epoch = self._assignment.epoch
        due = self._collector.due_in(time.monotonic())
        await self._fetch(epoch, _POLL_S if due is None else min(_POLL_S, due))
        await self._reap()
        if self._assignment.in_flight is None and self._collector.due_in(time.monotonic()) == 0:
            self._launch(epoch)
        self._watch_log()
        self._observe()

    def _watch_log(self) -> None:
        """Now and then, beside the work: position anew where the topic has become another log."""
        check = self._log_check
        if check is None:
            if time.monotonic() - self._checked_at > _LOG_CHECK_S:
                self._log_check = asyncio.create_task(self._is_another_log())
        elif check.done():
            self._log_check, self._checked_at = None, time.monotonic()
            self._assignment.stale |= check.result()

    async def _is_another_log(self) -> bool:
        try:
            return (await read_log_identity(self._kafka, self._topic)).key != self._log.key
        except StorageUnavailable:
            return False  # not there now; who comes back is looked at then

    async def _fetch(self, epoch: int, wait_s: float) -> None:
        task = self._assignment.in_flight
        if task is not None and self._collector.full:
            await asyncio.wait({task}, timeout=_POLL_S)
            await self._keep_alive()
            return
        if task is not None:
            wait_s = max(wait_s, _BUSY_POLL_S)
        most = self._collector.room
        if self._spec.encoded:
            fetch_raw(self._consumer)
            most = min(-(-most // MAX_RECORDS), _MOST_PIECES)
        fetched = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=most)
        now = self._polled_at = time.monotonic()
        if epoch != self._assignment.epoch:
            return  # a rebalance came between: positions are taken anew
        await self._look_for_unread(fetched)
        if epoch != self._assignment.epoch:
            return
        for tp, records in fetched.items():
            last = records[-1]
            self._read[tp] = (last.last_offset if isinstance(last, FetchedRecords) else last.offset) + 1
            self._hold(tp.partition, records, now)

    async def _look_for_unread(self, fetched: Mapping[TopicPartition, list[Any]]) -> None:
        """Whether Kafka let records go that lie between what was read last and what came now."""
        found = gaps(self._read, fetched)
        if found:
            try:
                begins = await self._begins(found)
            except StorageUnavailable as error:
                _log.warning("position_unavailable", sink=self._spec.name, error=str(error))
                return
            for tp, (expected, first) in found.items():
                self._unread.say(tp.partition, expected, min(begins[tp], first))

    async def _begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        asked = self._consumer.beginning_offsets([*partitions])
        return dict(await kafka_clients.bounded(asked, self._kafka.request_timeout_s, "beginning offsets"))

    def _hold(self, partition: int, records: list[Any], now: float) -> None:
        if not self._spec.encoded:
            self._collector.add(records, self._spec.count_rows(records), now)
            return
        # single ones where aiokafka's insides are not as we know them
        pieces: list[Any] = [piece for piece in records if isinstance(piece, FetchedRecords)]
        for piece in pieces or [records]:
            events = EncodedEvents.of(partition, piece)
            self._collector.add(events, len(events), now, events.size)

    async def _keep_alive(self) -> None:
        """A consumer that does not poll is taken for dead; poll without getting anything."""
        if time.monotonic() - self._polled_at < _KEEP_ALIVE_S:
            return
        assigned = self._consumer.assignment()
        self._consumer.pause(*assigned)
        await self._consumer.getmany(timeout_ms=0)
        self._consumer.resume(*(self._consumer.paused() & self._consumer.assignment()))
        self._polled_at = time.monotonic()

    async def _reap(self) -> None:
        task = self._assignment.in_flight
        if task is None or not task.done():
            return
        self._assignment.in_flight = None
        try:
            await task
        except Superseded:
            _log.info("batch_given_up", sink=self._spec.name)
            self._assignment.stale = True

    def _launch(self, epoch: int) -> None:
        batch = self._collector.take(self._log)
        histogram(metrics.SINKS_BATCH_ROWS).labels(self._spec.name).observe(self._spec.count_rows(batch.records))
        self._assignment.in_flight = asyncio.create_task(self._carry(batch, epoch))

    async def _carry(self, batch: Batch, epoch: int) -> None:
        """Intent, insert, commit."""
        note = batch.ranges.encode()
        await self._commit({p: (first, note) for p, (first, _) in batch.ranges.by_partition.items()}, epoch)
        await self._store.store(batch, lambda pause_s: self._wait(pause_s, epoch))
        await self._commit({p: (after, self._done) for p, (_, after) in batch.ranges.by_partition.items()}, epoch)
        self._committed_at = time.monotonic()

    @property
    def _done(self) -> str:
        """The note of a commit after an insert: which log its offset is of."""
        return Ranges(self._topic, {}, self._log).encode()

    async def _wait(self, pause_s: float, epoch: int) -> None:
        until = time.monotonic() + pause_s
        while (left := until - time.monotonic()) > 0:
            self._assignment.check(epoch)
            if self._stopping:
                raise Superseded
            await asyncio.sleep(min(left, _POLL_S))

    async def _commit(self, offsets: Mapping[int, tuple[int, str]], epoch: int) -> None:
        entries = {TopicPartition(self._topic, p): entry for p, entry in offsets.items()}
        while True:
            self._assignment.check(epoch)
            try:
                await kafka_clients.bounded(self._consumer.commit(entries), self._kafka.request_timeout_s, "commit")
                return
            except StorageUnavailable as error:
                _log.warning("commit_failed", sink=self._spec.name, error=str(error))
                await self._wait(self._settings.backoff_min_s, epoch)

    async def _take_position(self) -> None:
        """Start from the committed offsets, after repeating the inserts of which nobody knows whether they happened."""
        epoch = self._assignment.epoch
        await self._settle()
        self._collector.clear()
        self._read.clear()
        self._assignment.stale = False
        assigned = {tp.partition: tp for tp in self._consumer.assignment()}
        if not assigned:
            await self._consumer.getmany(timeout_ms=int(_POLL_S * 1000))
            self._assignment.stale = True
            return
        try:
            await self._position(assigned, epoch)
        except Superseded:
            self._assignment.stale = True
        except (StorageUnavailable, InsertFailure, IllegalStateError) as error:
            _log.warning("position_unavailable", sink=self._spec.name, error=str(error))
            if not isinstance(error, IllegalStateError):  # that is a rebalance under way
                self._unplaced = f"unavailable: {error}"
            self._assignment.stale = True
            await asyncio.sleep(_RETRY_S)
        else:
            self._unplaced = ""

    async def _position(self, assigned: Mapping[int, TopicPartition], epoch: int) -> None:
        timeout_s = self._kafka.request_timeout_s
        log = await self._book.look_up(self._topic, self.group)
        standing = await read_standing(self._kafka, self.group, self._topic, assigned)
        named = {TopicPartition(self._topic, p) for intent in standing.intents for p in intent.by_partition}
        ends = await kafka_clients.bounded(
            self._consumer.end_offsets([*named.union(assigned.values())]), timeout_s, "end offsets"
        )
        begins = await self._begins(named.union(assigned.values()))
        found = resume(standing, log.key, _by_partition(ends), _by_partition(begins))
        self._say_restarted(found.restarted)
        if found.log != self._log:
            self._unread = Unread(self._spec.name, self._topic)
        self._log, self._store.log = found.log, log.stored_as
        if self._spec.packed:  # their rows speak of the events' log
            self._store.unnamed = await self._book.unnamed(*self._events)
        for p, tp in assigned.items():
            if p in found.offsets:
                self._unread.say(p, found.offsets[p], begins[tp])
                self._consumer.seek(tp, max(found.offsets[p], begins[tp]))
            else:
                await kafka_clients.bounded(self._consumer.seek_to_beginning(tp), timeout_s, "seek")
        for intent in found.intents:
            open_ones = {p: intent.by_partition[p] for p in open_partitions(intent, found.offsets) if p in assigned}
            if open_ones:
                await self._repeat(intent, epoch)
                await self._commit({p: (after, self._done) for p, (_, after) in open_ones.items()}, epoch)
                for p, (_, after) in open_ones.items():
                    self._consumer.seek(assigned[p], after)

    def _say_restarted(self, partitions: tuple[int, ...]) -> None:
        if partitions:
            counter(metrics.SINKS_LOG_RESTARTS).labels(self._topic).inc()
            _log.error("log_restarted", sink=self._spec.name, topic=self._topic, partitions=partitions)

    async def _repeat(self, intent: Ranges, epoch: int) -> None:
        _log.info("insert_repeated", sink=self._spec.name, ranges=intent.encode())
        batch = await read_ranges(self._kafka, intent)
        await self._store.store(batch, lambda pause_s: self._wait(pause_s, epoch), repeated=True)

    async def _settle(self) -> None:
        """Wait for the insert under way: its thread cannot be called back."""
        if self._assignment.in_flight is not None:
            await asyncio.wait({self._assignment.in_flight})
            await self._reap()

    async def _drain(self) -> None:
        """Store what is held; what ClickHouse does not take in time stays uncommitted in Kafka."""
        epoch = self._assignment.epoch
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._settle()
                if not self._assignment.stale and self._collector.rows:
                    self._launch(epoch)
                    await self._settle()
        except TimeoutError:
            _log.warning("rows_left", sink=self._spec.name, rows=self._collector.rows)
        self._stopping = True
        await self._settle()

    def _observe(self) -> None:
        ours = self._consumer.assignment() & self._read.keys()
        lag = sum(max(0, (self._consumer.highwater(tp) or 0) - self._read[tp]) for tp in ours)
        gauge(metrics.SINKS_LAG).labels(self._spec.name).set(lag + self._collector.rows)
        waiting = self._collector.rows > 0 or self._assignment.in_flight is not None
        gauge(metrics.SINKS_AGE).labels(self._spec.name).set(time.monotonic() - self._committed_at if waiting else 0)


def _by_partition(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {tp.partition: offset for tp, offset in offsets.items()}
