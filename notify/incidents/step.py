"""Reads sori.fraud-alerts, writes sori.incidents.

Delivery guarantee: an incident's record is acknowledged by Kafka before the offsets of the alerts in it are committed.
Who starts again reads the incidents, then the alerts from there: those that are in an incident already change nothing,
so none is lost and none is in two. Run one: two at once would both write, with the same ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from notify.incidents.book import IncidentBook, IncidentPolicy
from notify.incidents.in_order import InOrder
from runtime.kafka import clients
from runtime.kafka.alert_log import Entry, to_entry
from runtime.kafka.compacted_table import CompactedTable
from runtime.telemetry.metrics import counter
from sori import metrics
from sori.alerting.incident import Incident, encode_incident, parse_incident
from sori.alerting.story import story
from sori.errors import EventError, StorageUnavailable
from sori.settings.kafka import KafkaSettings
from sori.topics import FRAUD_ALERTS, INCIDENTS

_WAIT_MS = 100
_MOST_READ = 1_000
#: So far apart at least, since each alert that joins writes all of its incident again: in a storm 100 at once.
_NEWS_S = 0.5
#: What is no news may wait so long: an attack's alerts are updated every few seconds, each of them.
_QUIET_S = 5.0
_SWEEP_S = 60.0
_RETRY_S = 1.0
_PATIENCE_S = 10.0
#: Whoever delivers waits no longer than this for alerts to be sorted, however many there are.
_BREATH_S = 0.02
_log = structlog.get_logger(__name__)


class IncidentStep:
    """Runs until cancelled, over any outage of Kafka; `trouble` says why it stands, or is empty."""

    def __init__(self, kafka: KafkaSettings, group: str, policy: IncidentPolicy) -> None:
        self._kafka = kafka
        self._group = group
        self._policy = policy
        self._topic = FRAUD_ALERTS.name(kafka.topic_prefix)
        self.trouble = ""

    async def run(self) -> None:
        """Work until cancelled. Whatever fails, it begins again from what Kafka has."""
        while True:
            try:
                await self._work()
            except (StorageUnavailable, KafkaError) as error:
                self.trouble = str(error)
                _log.warning("incidents_wait_for_kafka", error=str(error))
            await asyncio.sleep(_RETRY_S)

    async def _work(self) -> None:
        async with AsyncExitStack() as stack:
            table = await stack.enter_async_context(CompactedTable(self._kafka, INCIDENTS).running())
            consumer = clients.make_consumer(self._kafka, group_id=self._group, fetch_max_wait_ms=_WAIT_MS)
            await stack.enter_async_context(clients.running(consumer, self._kafka.request_timeout_s, "incidents"))
            book = IncidentBook(self._policy)
            book.restore(_readable(table.values))
            order = await self._begin(consumer)
            self.trouble = ""
            _log.info("incidents_running", incidents=len(table.values))
            await _Turns(self, consumer, table, book, order).run()

    async def _begin(self, consumer: AIOKafkaConsumer) -> InOrder:
        """Where to go on: what was committed, else the beginning, so that the past has its incidents, too."""
        timeout_s = self._kafka.request_timeout_s
        numbers = await clients.bounded(clients.known_partitions(consumer, self._topic), timeout_s, "topic")
        if not numbers:
            raise StorageUnavailable(f"there is no topic {self._topic}; run `sori topics apply`")
        parts = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        consumer.assign(parts)
        begins = await clients.bounded(consumer.beginning_offsets(parts), timeout_s, "offsets")
        ends = await clients.bounded(consumer.end_offsets(parts), timeout_s, "offsets")
        starts = {}
        for part in parts:
            committed = await clients.bounded(consumer.committed(part), timeout_s, "committed offsets")
            known = committed is not None and begins[part] <= committed <= ends[part]
            starts[part.partition] = committed if known else begins[part]
            consumer.seek(part, starts[part.partition])
        return InOrder(starts, {part.partition: end for part, end in ends.items()})

    async def commit(self, consumer: AIOKafkaConsumer, positions: dict[int, int]) -> None:
        """Say how far it came."""
        offsets = {TopicPartition(self._topic, number): offset for number, offset in positions.items()}
        await clients.bounded(consumer.commit(offsets), self._kafka.request_timeout_s, "commit")


class _Turns:
    """One stretch of work, from a state that Kafka has to the next failure."""

    def __init__(
        self, step: IncidentStep, consumer: AIOKafkaConsumer, table: CompactedTable, book: IncidentBook, order: InOrder
    ) -> None:
        self._step = step
        self._consumer = consumer
        self._table = table
        self._book = book
        self._order = order
        self._committed = dict(order.next)
        self._newest_ms = 0
        now_s = time.monotonic()
        self._flushed_s = self._swept_s = self._read_s = now_s

    async def run(self) -> None:
        """Read, apply, write, commit."""
        while True:
            await self._read()
            now_s = time.monotonic()
            async for entry in breathing(self._order.take()):
                self._apply(entry)
            waited_s = now_s - self._flushed_s
            if (self._book.owes_news and waited_s >= _NEWS_S) or (self._book.owes and waited_s >= _QUIET_S):
                await self._flush()
                self._flushed_s = now_s
            if self._committed != self._order.next and not self._book.owes:
                await self._step.commit(self._consumer, self._order.next)
                self._committed = dict(self._order.next)
            if now_s - self._swept_s >= _SWEEP_S and not self._book.owes:
                self._swept_s = now_s
                if gone := self._book.sweep():
                    await self._table.put_all(dict.fromkeys(gone))

    async def _read(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_READ)
        for records in fetched.values():
            self._order.add(to_entry(record, lambda _: False) for record in records)
        if fetched:
            self._read_s = time.monotonic()
        elif time.monotonic() - self._read_s > _PATIENCE_S:
            self._order.hurry()
        self._hold_back(self._order.crowded)

    def _hold_back(self, crowded: Collection[int]) -> None:
        for part in self._consumer.assignment():
            held = part in self._consumer.paused()
            if part.partition in crowded and not held:
                self._consumer.pause(part)
            elif held and part.partition not in crowded:
                self._consumer.resume(part)

    def _apply(self, entry: Entry) -> None:
        if entry.alert is None:
            return
        self._newest_ms = max(self._newest_ms, entry.timestamp_ms)
        try:
            self._book.apply(entry.alert, entry.timestamp_ms, story(orjson.loads(entry.value)))
        except Exception:  # noqa: BLE001 - a bug of ours with one alert must not hold up all others, and all deliveries
            _log.exception("alert_in_no_incident", alert=entry.alert.alert_id)

    async def _flush(self) -> None:
        now_ms = int(time.time() * 1000)
        records = self._book.flush(now_ms)
        values = {record.incident_id: encode_incident(record) for record in records}
        # as old as what it is made of: what is only being caught up with is no news to subscribers
        await self._table.put_all(values, timestamp_ms=self._newest_ms or now_ms)
        for record in records:
            counter(metrics.NOTIFY_INCIDENTS).labels(record.change).inc()


async def breathing(entries: Iterable[Entry]) -> AsyncIterator[Entry]:
    """The same, in the same order; others run in between when these take long."""
    since_s = time.monotonic()
    for entry in entries:
        yield entry
        if time.monotonic() - since_s >= _BREATH_S:
            await asyncio.sleep(0)
            since_s = time.monotonic()


def _readable(values: Mapping[str, bytes]) -> list[Incident]:
    found = []
    for key, value in values.items():
        try:
            found.append(parse_incident(value))
        except EventError as error:
            _log.error("incident_unreadable", incident=key, error=str(error))
    return found
