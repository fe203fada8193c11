"""Records that Kafka let go before a sink read them: its retention passed the sink, or somebody deleted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from runtime.kafka.fetched import FetchedRecords
from runtime.telemetry.metrics import counter
from sori import metrics

_log = structlog.get_logger(__name__)


class Unread:
    """Of one sink's topic. Each such stretch is said once, however often its partition is positioned anew."""

    def __init__(self, sink: str, topic: str) -> None:
        self._sink = sink
        self._topic = topic
        self._said: dict[int, int] = {}
        counter(metrics.SINKS_UNREAD).labels(topic)  # there from the start: its first increase is an alert

    def say(self, partition: int, expected: int, begin: int) -> None:
        """The log begins at `begin`, and `expected` was to be read next."""
        first = max(expected, self._said.get(partition, 0))
        if begin > first:
            self._said[partition] = begin
            counter(metrics.SINKS_UNREAD).labels(self._topic).inc(begin - first)
            _log.error(
                "records_lost_unread",
                sink=self._sink,
                topic=self._topic,
                partition=partition,
                expected=first,
                log_begin=begin,
                records=begin - first,
            )


def gaps(
    read: Mapping[TopicPartition, int], fetched: Mapping[TopicPartition, Sequence[Any]]
) -> dict[TopicPartition, tuple[int, int]]:
    """Where what was fetched begins after what was to be read next: both offsets. Markers of transactions make some."""
    found = {}
    for tp, records in fetched.items():
        first: int = records[0].first_offset if isinstance(records[0], FetchedRecords) else records[0].offset
        if first > read.get(tp, first):
            found[tp] = read[tp], first
    return found
