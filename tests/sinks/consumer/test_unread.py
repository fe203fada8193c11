"""Gaps in what is fetched, and what of them was lost."""

from __future__ import annotations

from types import SimpleNamespace

from aiokafka import TopicPartition
from structlog.testing import capture_logs

from runtime.kafka.fetched import FetchedRecords
from runtime.telemetry.metrics import counter
from sinks.consumer.unread import Unread, gaps
from sori import metrics

A, B, C, D = (TopicPartition("t", number) for number in range(4))


def batch(first: int, last: int) -> FetchedRecords:
    """A piece of a fetch."""
    return FetchedRecords([SimpleNamespace(base_offset=first, next_offset=last + 1)], first)


def test_a_fetch_that_begins_after_what_was_to_be_read_next_has_a_gap():
    """Single records and whole pieces; nothing is known of a partition that was not read yet."""
    fetched = {A: [SimpleNamespace(offset=7)], B: [batch(9, 12)], C: [batch(5, 6), batch(20, 30)], D: [batch(3, 4)]}
    assert gaps({A: 5, B: 7, C: 5}, fetched) == {A: (5, 7), B: (7, 9)}


def test_a_stretch_is_said_once_however_often_it_is_looked_at():
    """And a marker in a log that has everything is no loss."""
    unread, held = Unread("events", "unread-test"), counter(metrics.SINKS_UNREAD).labels("unread-test")
    with capture_logs() as logs:
        unread.say(0, 10, 4)
        unread.say(0, 10, 22)
        unread.say(0, 10, 22)
        unread.say(0, 10, 25)
        unread.say(1, 10, 11)
    assert [(one["partition"], one["expected"], one["records"]) for one in logs] == [
        (0, 10, 12),
        (0, 22, 3),
        (1, 10, 1),
    ]
    assert held._value.get() == 16
