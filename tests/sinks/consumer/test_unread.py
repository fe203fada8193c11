"""Gaps in what is fetched, and what of them was lost."""

from __future__ import annotations

from types import SimpleNamespace

from aiokafka import TopicPartition
from structlog.testing import capture_logs

from runtime.kafka.fetched import FetchedRecords
from runtime.telemetry.metrics import counter
from sinks.consumer.topic_sink import TopicSink
from sinks.consumer.unread import Unread, gaps
from sinks.specs import sink_specs
from sori import metrics
from sori.settings import load_settings

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


class Fetching:
    """A consumer whose log lost offsets 10 to 21 while it was read."""

    def __init__(self, topic: str) -> None:
        self.tp, self.left = TopicPartition(topic, 0), [(9,), (22, 23)]

    async def getmany(self, **_: object) -> dict[TopicPartition, list[SimpleNamespace]]:
        """Another fetch."""
        return {self.tp: [SimpleNamespace(offset=offset) for offset in self.left.pop(0)]}

    async def beginning_offsets(self, asked: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the log begins now."""
        return dict.fromkeys(asked, 22)


async def test_a_sink_that_is_passed_while_it_reads_says_so(monkeypatch) -> None:
    """And goes on with what there is."""
    settings = load_settings()
    spec = next(one for one in sink_specs(settings.sinks) if not one.encoded)
    sink, held = TopicSink(spec, None, None, settings, None), []  # type: ignore[arg-type]
    topic = spec.topic.name(settings.kafka.topic_prefix)
    sink._consumer = Fetching(topic)
    monkeypatch.setattr(sink, "_hold", lambda _, records, __: held.extend(one.offset for one in records))
    with capture_logs() as logs:
        await sink._fetch(sink._assignment.epoch, 0)
        await sink._fetch(sink._assignment.epoch, 0)
    assert [(one["expected"], one["records"]) for one in logs if one["event"] == "records_lost_unread"] == [(10, 12)]
    assert held == [9, 22, 23]
