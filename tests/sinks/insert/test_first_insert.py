"""What an insert costs beside ClickHouse: nothing that only a repeated one needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sinks.batch import Record, make_batch
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.store import Store
from sinks.specs import sink_specs
from sori.settings.kafka import KafkaSettings
from sori.settings.sinks import SinksSettings
from testkit.records import event_record


class TakesAll:
    """A writer whose ClickHouse has every row that it is asked for."""

    def insert(self, insert: Any, token: str | None) -> None:
        """Taken."""

    def count(self, sql: str) -> int:
        """What it was asked with, as a number."""
        return int(sql)


async def test_only_a_repeated_insert_asks_whether_its_rows_are_there() -> None:
    """Of its own records and log; the first try of a batch walks over them once less."""
    [events] = [spec for spec in sink_specs(SinksSettings()) if spec.name == "events"]
    asked: list[tuple[int, int]] = []

    def presence(records: Sequence[Record], log: int) -> str:
        asked.append((len(records), log))
        return str(len(records))

    with ThreadPoolExecutor(1) as executor:
        spec = replace(events, presence=presence)
        store = Store(spec, [TakesAll()], DeadLetters(KafkaSettings()), SinksSettings(), executor)  # type: ignore[list-item]
        store.log = 7
        batch = make_batch("t", {0: [event_record(n) for n in range(30)]})
        await store.store(batch, asyncio.sleep)
        assert asked == []
        await store.store(batch, asyncio.sleep, repeated=True)
        assert asked == [(30, 7)]
