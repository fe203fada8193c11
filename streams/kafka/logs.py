"""Which logs the streams read. A checkpoint means something only in the log that it was committed in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import structlog
from aiokafka import TopicPartition
from faust.types import TP

from runtime.kafka.log_identity import read_log_identity
from runtime.kafka.offsets import read_committed_offsets, read_end_offsets
from runtime.telemetry.metrics import counter
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings import Settings
from streams.state.checkpoint import NAMELESS, Checkpoint, counted_by

_log = structlog.get_logger(__name__)

_restarts = counter(metrics.STREAMS_LOG_RESTARTS)

#: How often to look whether the topics are still the same logs.
_CHECK_S = 20.0


class LogReplaced(Exception):
    """A topic is another log than the one that the operators' state was counted in."""


class Logs:
    """Keys of the logs behind the topics, as of the last assignment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: dict[str, int] = {}

    def key(self, topic: str) -> int:
        """Of the log behind a topic; 0 before the first assignment."""
        return self._keys.get(topic, 0)

    async def committed(self, tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
        """The group's checkpoints that are about these logs. Raises StorageUnavailable.

        What another log's commit says, or one beyond the log's end, is left out: that partition starts anew.
        """
        wanted = [TopicPartition(tp.topic, tp.partition) for tp in tps]
        kafka = self._settings.kafka
        keys = {topic: (await read_log_identity(kafka, topic)).key for topic in {tp.topic for tp in wanted}}
        for topic in keys.keys() & self._keys.keys():
            if keys[topic] != self._keys[topic]:
                _restarts.labels(topic).inc()
                _log.error("log_replaced", topic=topic, key=keys[topic], known=self._keys[topic])
        self._keys = keys
        found = await read_committed_offsets(kafka, self._settings.streams.group, wanted)
        ends = await read_end_offsets(kafka, found)
        kept: dict[TP, Checkpoint] = {}
        for tp, read in found.items():
            if (counted_by(read.metadata) or NAMELESS).log in (0, self._keys[tp.topic]) and read.offset <= ends[tp]:
                kept[TP(tp.topic, tp.partition)] = Checkpoint.parse(read.offset, read.metadata)
            else:
                _restarts.labels(tp.topic).inc()
                _log.error("log_restarted", topic=tp.topic, partition=tp.partition, committed=read.offset, end=ends[tp])
        return kept

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
