"""The topic of alerts, or that of incidents, as readers want it: the newest records in memory, older ones from Kafka.

No consumer group and no commits: whoever reads keeps a position of its own. One tail for any number of readers.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from runtime.kafka import clients
from sori.alerting.alert import Alert, parse_alert
from sori.errors import EventError, StorageUnavailable
from sori.records import REPLAYED
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS, Topic

_WAIT_MS = 100
_RETRY_S = 1.0
_READ_WAIT_MS = 1000
_MOST_KNOWN = 50_000
#: A record's value to what its readers look at. Raises EventError.
Parse = Callable[[bytes], Alert]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record. `alert` is None when it is no alert, or one replayed for ClickHouse alone.

    `repeated`: the same state stands earlier in the log.
    """

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes
    alert: Alert | None
    repeated: bool = False


class AlertLog:
    """Tail and history of sori.fraud-alerts, or of another topic of what `parse` reads. Use `running`."""

    def __init__(
        self, kafka: KafkaSettings, topic: Topic = FRAUD_ALERTS, parse: Parse = parse_alert, *, keep: int = 5_000
    ) -> None:
        self._kafka = kafka
        self._topic = topic.name(kafka.topic_prefix)
        self._compacted = topic.cleanup == "compact"
        self._parse = parse
        self._keep = keep
        self._ring: dict[int, deque[Entry]] = {}
        self._floor: dict[int, int] = {}
        self._known: OrderedDict[str, int] = OrderedDict()
        self._listeners: list[Callable[[list[Entry]], None]] = []
        self._reading = asyncio.Lock()
        self.ends: dict[int, int] = {}

    def listen(self, listener: Callable[[list[Entry]], None]) -> None:
        """Call `listener` with every batch that arrives from now on, in the order of arrival."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the topic while the block runs. Raises StorageUnavailable when Kafka does not answer at first."""
        options = {"fetch_max_wait_ms": _WAIT_MS, "metadata_max_age_ms": 30_000}
        timeout_s = self._kafka.request_timeout_s
        async with (
            clients.running(clients.make_consumer(self._kafka, **options), timeout_s, "alerts") as self._tail,
            clients.running(clients.make_consumer(self._kafka, **options), timeout_s, "alerts") as self._history,
        ):
            await self._begin()
            task = asyncio.create_task(self._follow(), name="alert-log")
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def read(self, partition: int, offset: int, limit: int) -> tuple[list[Entry], int]:
        """Up to `limit` records from `offset` on, and where to go on. Waits for Kafka only for what memory has not."""
        if offset >= self.ends[partition]:
            return [], offset
        if offset >= self._floor[partition]:
            ring = self._ring[partition]
            first = bisect_left(ring, offset, key=lambda entry: entry.offset)
            found = [ring[n] for n in range(first, min(first + limit, len(ring)))]
            return found, found[-1].offset + 1 if found else self.ends[partition]
        async with self._reading:
            return await self._read_history(partition, offset, limit)

    async def positions_at(self, timestamp_ms: int) -> dict[int, int]:
        """The first offsets at or after a time, epoch milliseconds; the end where nothing is that new."""
        asked = {TopicPartition(self._topic, p): timestamp_ms for p in self.ends}
        call = self._history.offsets_for_times(asked)
        found = await clients.bounded(call, self._kafka.request_timeout_s, "offsets by time")
        ends = await self._end_offsets(self._history, list(asked))
        return {tp.partition: at.offset if at is not None else ends[tp] for tp, at in found.items()}

    async def _begin(self) -> None:
        partitions = await clients.bounded(
            clients.known_partitions(self._tail, self._topic), self._kafka.request_timeout_s, "topic"
        )
        tps = [TopicPartition(self._topic, p) for p in sorted(partitions)]
        if not tps:
            raise StorageUnavailable(f"there is no topic {self._topic}; run `sori topics apply`")
        self._tail.assign(tps)
        call = self._tail.beginning_offsets(tps)
        begins = await clients.bounded(call, self._kafka.request_timeout_s, "offsets")
        ends = await self._end_offsets(self._tail, tps)
        for tp in tps:
            start = max(begins[tp], ends[tp] - self._keep)
            self._ring[tp.partition] = deque()
            self._floor[tp.partition] = self.ends[tp.partition] = start
            self._tail.seek(tp, start)
        await self._catch_up({tp.partition: ends[tp] for tp in tps})

    async def _catch_up(self, ends: dict[int, int]) -> None:
        """Read what is there before anybody asks, for as long as Kafka may take for one call."""
        deadline = asyncio.get_running_loop().time() + self._kafka.request_timeout_s
        while any(self.ends[p] < end for p, end in ends.items()):
            if asyncio.get_running_loop().time() > deadline:
                raise StorageUnavailable("alerts: no records from Kafka in time")
            await self._step()

    async def _end_offsets(self, consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        call = consumer.end_offsets(tps)
        found: dict[TopicPartition, int] = await clients.bounded(call, self._kafka.request_timeout_s, "offsets")
        return found

    async def _follow(self) -> None:
        while True:
            try:
                await self._step()
            except KafkaError as error:
                _log.warning("kafka_read_failed", topic=self._topic, error=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _step(self) -> None:
        fetched = await self._tail.getmany(timeout_ms=_WAIT_MS)
        arrived = [self._enter(record) for records in fetched.values() for record in records]
        if arrived:
            for listener in self._listeners:
                listener(arrived)

    def _enter(self, record: ConsumerRecord[bytes, bytes]) -> Entry:
        entry = to_entry(record, self._seen_before, self._parse)
        ring = self._ring[entry.partition]
        ring.append(entry)
        self.ends[entry.partition] = entry.offset + 1
        if len(ring) > self._keep:
            self._floor[entry.partition] = ring.popleft().offset + 1
        return entry

    def _seen_before(self, alert: Alert) -> bool:
        """The streams stage repeats records after a crash; a state that stands in the log already is no news."""
        before = self._known.pop(alert.alert_id, -1)
        self._known[alert.alert_id] = max(before, alert.version)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return alert.version <= before

    async def _read_history(self, partition: int, offset: int, limit: int) -> tuple[list[Entry], int]:
        tp = TopicPartition(self._topic, partition)
        self._history.assign([tp])
        self._history.seek(tp, offset)
        call = self._history.getmany(tp, timeout_ms=_READ_WAIT_MS, max_records=limit)
        fetched = await clients.bounded(call, self._kafka.request_timeout_s, "alerts")
        entries = [to_entry(record, lambda _alert: False, self._parse) for record in fetched.get(tp, [])]
        if entries and entries[0].offset > offset and not self._compacted:
            _log.warning("alerts_expired_unread", partition=partition, asked=offset, found=entries[0].offset)
        return entries, entries[-1].offset + 1 if entries else offset


def to_entry(
    record: ConsumerRecord[bytes, bytes], seen_before: Callable[[Alert], bool], parse: Parse = parse_alert
) -> Entry:
    """A record as an entry; what is no alert is kept as such, since its offset counts.

    Nor is one that comes again from quarantine: its readers had it when it came first.
    """
    value = record.value or b""
    if record.value is None or any(name == REPLAYED for name, _ in record.headers):
        return Entry(record.partition, record.offset, record.timestamp, value, None)
    try:
        alert = parse(value)
    except EventError as error:
        _log.warning("alert_unreadable", partition=record.partition, offset=record.offset, error=str(error))
        return Entry(record.partition, record.offset, record.timestamp, value, None)
    return Entry(record.partition, record.offset, record.timestamp, value, alert, seen_before(alert))
