"""Which logs the streams read, and where to go on in them. A checkpoint means something only in the log it is of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

from runtime.kafka.clients import bounded, known_partitions, make_consumer, running
from runtime.kafka.log_identity import read_log_identity
from runtime.kafka.offsets import Committed, read_all_committed
from runtime.telemetry.metrics import counter
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.times import iso
from streams.alerts.published import Alerts, Reconciliation
from streams.kafka.published_alerts import read_alerts
from streams.state.checkpoint import Checkpoint
from streams.state.continuation import (
    INTENDED,
    REBUILT,
    Counting,
    Doubt,
    Found,
    Known,
    asks_from_ms,
    continued,
    doubt_of,
    lost_ms,
    start_of,
)
from streams.state.fingerprint import Fingerprint

_log = structlog.get_logger(__name__)

_restarts = counter(metrics.STREAMS_LOG_RESTARTS)
_doubts = counter(metrics.STREAMS_DOUBTS)

#: How often to look whether the topics are still the same logs.
_CHECK_S = 20.0
#: How long a partition's first records are waited for.
_LOOK_MS = 2_000
_DAY_MS = 86_400_000


class LogReplaced(Exception):
    """A topic is another log than the one that the operators' state was counted in."""


class Logs:
    """Keys of the logs behind the topics, as of the last assignment; `counting`: how each topic is counted."""

    def __init__(self, settings: Settings, counting: Mapping[str, Counting]) -> None:
        self._settings = settings
        self._counting = counting
        self._keys: dict[str, int] = {}
        self._partitions: dict[str, int] = {}
        self._doubted: dict[TP, tuple[Doubt, int]] = {}
        self._alerts: dict[str, Alerts] = {}
        #: How long ago an alert that is open may last have been told: it is cut, and told anew, before.
        self._longest_ms = 2 * settings.rules.episodes.max_length_s * 1000 + int(settings.streams.max_skew_s * 1000)
        for topic in counting:
            for doubt in Doubt:  # there from the start: a first one is an increase
                _doubts.labels(topic, doubt)

    def key(self, topic: str) -> int:
        """Of the log behind a topic; 0 before the first assignment."""
        return self._keys.get(topic, 0)

    def name(self, fingerprint: Fingerprint, topic: str) -> Fingerprint:
        """The fingerprint of states of this topic as it is now."""
        return fingerprint.of_log(self.key(topic), self._partitions.get(topic, 0))

    def reconciliation(self, tp: TP, hop: str) -> Reconciliation | None:
        """What is published of a partition's alerts, where the last `committed` found its commit in doubt."""
        doubted = self._doubted.get(tp)
        if doubted is None:
            return None
        doubt, until = doubted
        return Reconciliation(dict(self._alerts.get(f"{hop}/{tp.partition}", {})), until, str(doubt))

    async def learn(self, topics: Collection[str]) -> None:
        """Which logs these topics are, before any of their partitions is assigned. Raises StorageUnavailable."""
        kafka = self._settings.kafka
        self._keys |= {topic: (await read_log_identity(kafka, topic)).key for topic in topics}
        async with running(make_consumer(kafka, group_id=None), kafka.request_timeout_s, "partitions") as consumer:
            await self._count(consumer, topics)

    async def _count(self, consumer: AIOKafkaConsumer, topics: Iterable[str]) -> None:
        timeout_s = self._settings.kafka.request_timeout_s
        for topic in topics:
            self._partitions[topic] = len(await bounded(known_partitions(consumer, topic), timeout_s, "partitions"))

    async def committed(self, tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
        """Where to go on: the group's checkpoints, or what takes their place where they are in doubt.

        A partition without one starts at its log's beginning. Raises StorageUnavailable.
        """
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        kafka = self._settings.kafka
        # at once, since partitions have no owner meanwhile
        topics = sorted({tp.topic for tp in wanted})
        committed, *identities = await asyncio.gather(
            read_all_committed(kafka, self._settings.streams.group),
            *(read_log_identity(kafka, topic) for topic in topics),
        )
        keys = {topic: identity.key for topic, identity in zip(topics, identities, strict=True)}
        for topic in keys.keys() & self._keys.keys():
            if keys[topic] != self._keys[topic]:
                _restarts.labels(topic).inc()
                _log.error("log_replaced", topic=topic, key=keys[topic], known=self._keys[topic])
        self._keys = keys
        self._doubted, self._alerts = {}, {}
        if not wanted:
            return {}
        async with running(make_consumer(kafka, group_id=None), kafka.request_timeout_s, "offsets") as consumer:
            kept = await self._continued(consumer, wanted, committed)
        if self._doubted:
            marks = [committed[tp].metadata for tp in wanted if TP(*tp) in self._doubted and tp in committed]
            since_ms = min([*filter(None, map(_mark, marks)), _now_ms() - _DAY_MS])
            self._alerts = await read_alerts(kafka, since_ms - self._longest_ms)
        return kept

    async def _continued(
        self,
        consumer: AIOKafkaConsumer,
        wanted: Collection[TopicPartition],
        committed: Mapping[TopicPartition, Committed],
    ) -> dict[TP, Checkpoint]:
        timeout_s = self._settings.kafka.request_timeout_s
        begins = await bounded(consumer.beginning_offsets(list(wanted)), timeout_s, "offsets")
        ends = await bounded(consumer.end_offsets(list(wanted)), timeout_s, "offsets")
        await self._count(consumer, self._keys)
        kept: dict[TP, Checkpoint] = {}
        for tp in wanted:
            of_group = committed.get(tp)
            found = Found(begins[tp], ends[tp], *((of_group.offset, of_group.metadata) if of_group else ()))
            now = self._counting[tp.topic]
            now = now._replace(fingerprint=self.name(now.fingerprint, tp.topic))
            doubt, checkpoint = doubt_of(found, now.fingerprint), found.checkpoint
            if doubt is not None:
                known = await self._look(consumer, tp, found, doubt, now)
                checkpoint = continued(found, doubt, now, known)
                self._doubted[TP(*tp)] = doubt, found.end
                self._say(tp, found, doubt, now, checkpoint)
            if checkpoint is not None:
                kept[TP(tp.topic, tp.partition)] = checkpoint
        return kept

    async def _look(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, found: Found, doubt: Doubt, now: Counting
    ) -> Known:
        """What the log itself says of where to go on."""
        now_ms, start, timeout_s = (
            _now_ms(),
            start_of(found, doubt),
            self._settings.kafka.request_timeout_s,
        )
        if doubt in REBUILT:
            return Known(now_ms, now_ms, start)
        from_ms = asks_from_ms(found, doubt, now)
        if from_ms is not None:
            asked = await bounded(consumer.offsets_for_times({tp: max(0, from_ms)}), timeout_s, "offsets by time")
            at = asked.get(tp)
            return Known(now_ms, now_ms, found.end if at is None else at.offset)
        if start >= found.end:
            return Known(now_ms, now_ms, start)
        consumer.assign([tp])
        consumer.seek(tp, start)
        fetched = await bounded(consumer.getmany(timeout_ms=_LOOK_MS), timeout_s, "first records")
        stamps = [record.timestamp for record in chain.from_iterable(fetched.values())]
        return Known(now_ms, max(stamps, default=now_ms), start)

    def _say(
        self, tp: TopicPartition, found: Found, doubt: Doubt, now: Counting, checkpoint: Checkpoint | None
    ) -> None:
        _doubts.labels(tp.topic, doubt).inc()
        if doubt in {Doubt.OTHER_LOG, Doubt.BEYOND_END}:
            _restarts.labels(tp.topic).inc()
        before = found.checkpoint
        complete_ms = None if checkpoint is None else checkpoint.replay_start.horizon_ms
        if doubt in INTENDED:
            _log.warning(
                "settings_changed",
                case=str(doubt),
                topic=tp.topic,
                partition=tp.partition,
                changed=found.changed(now.fingerprint),
                complete_from_ms=complete_ms,
            )
            return
        _log.error(
            "checkpoint_doubted",
            case=str(doubt),
            topic=tp.topic,
            partition=tp.partition,
            changed=found.changed(now.fingerprint),
            committed=found.offset,
            restart_point=None if before is None else before.replay_start.low,
            log_begin=found.begin,
            log_end=found.end,
            reads_from=0 if checkpoint is None else checkpoint.replay_start.low,
            complete_from_ms=complete_ms,
            backfill=_backfill(lost_ms(found, doubt, now, checkpoint, _now_ms())),
            hint=f"docs/operations.md#soricheckpointdoubted, case {doubt}",
        )

    async def until_replaced(self) -> LogReplaced:
        """Return when a topic has become another log. Kafka being away is no answer."""
        while True:
            await asyncio.sleep(_CHECK_S)
            for topic, key in list(self._keys.items()):
                try:
                    now = (await read_log_identity(self._settings.kafka, topic)).key
                except StorageUnavailable:
                    continue
                if now != key == self._keys.get(topic):
                    _restarts.labels(topic).inc()
                    _log.error("log_replaced", topic=topic, key=now, known=key)
                    return LogReplaced(f"{topic} is another log now: state is counted again from its beginning")


def _backfill(span_ms: tuple[int, int] | None) -> str | None:
    """The command that counts windows of lost records from the raw events; None where none are lost."""
    return None if span_ms is None else f"sori backfill ctr --from {iso(span_ms[0])} --to {iso(span_ms[1])}"


def _now_ms() -> int:
    return int(time.time() * 1000)


def _mark(metadata: str) -> int | None:
    """The event time that a commit says was reached."""
    return Checkpoint.parse(0, metadata).watermark_ms
