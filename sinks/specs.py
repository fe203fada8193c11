"""The sinks: which topic goes where, how its records become an insert, and how long they may wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sinks.batch import Record
from sinks.builders import events, packed, quarantine
from sinks.builders.inserts import Insert
from sori import topics
from sori.settings.sinks import SinksSettings
from sori.topics import Topic


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """One topic's way into ClickHouse. `build` and `count_rows` are pure; `packed` values hold one row per line.
    Both `build` and `presence` are given the name under which rows of the topic's log are stored.

    `presence` is SQL that counts the rows of some records in ClickHouse. Without it the rows are upserts: a repeated
    insert may simply store them again. A large batch is inserted by so many `writers` at once, each its part.
    `encoded`: records wait as what they become in ClickHouse (sinks/insert/encoded_events.py).
    """

    topic: Topic
    build: Callable[[Sequence[Record], int], Insert]
    count_rows: Callable[[Sequence[Record]], int]
    max_age_s: float
    packed: bool
    presence: Callable[[Sequence[Record], int], str] | None = None
    writers: int = 1
    encoded: bool = False

    @property
    def name(self) -> str:
        """Label in logs, metrics and the consumer group."""
        return self.topic.suffix


def sink_specs(settings: SinksSettings) -> list[SinkSpec]:
    """Every sink of the pipeline."""

    def rows(topic: Topic, table: str, max_age_s: float) -> SinkSpec:
        return SinkSpec(topic, packed.builder(table), packed.count_rows, max_age_s, packed=True)

    age = settings.max_batch_age_s
    return [
        SinkSpec(
            topics.EVENTS, events.build, len, age, packed=False, presence=events.presence, writers=2, encoded=True
        ),
        rows(topics.CTR_WINDOWS, "ctr_windows", settings.window_batch_age_s),
        rows(topics.DEVICE_WINDOWS, "device_windows", settings.window_batch_age_s),
        rows(topics.FRAUD_ALERTS, "alerts", settings.alert_batch_age_s),
        rows(topics.INCIDENTS, "incidents", settings.alert_batch_age_s),
        rows(topics.LATE, "late_in", age),
        rows(topics.SESSION_RECORDS, "session_records", age),
        rows(topics.DELIVERY_ATTEMPTS, "delivery_attempts", age),
        rows(topics.VERDICTS, "verdicts", settings.alert_batch_age_s),
        SinkSpec(topics.QUARANTINE, quarantine.build, len, age, packed=False),
    ]
