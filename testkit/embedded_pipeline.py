"""Streams, sinks and upkeep over one engine in this process, with lists for Kafka's partitions.

What is real: admission's identity and key, the stream operator, the builders, the SQL, repetitions, recounts, roll-ups.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.kafka.partitioner import key_hash
from sinks.builders import events, packed
from sinks.consumer.commit_intents import Standing
from sinks.consumer.log_book import LogBook, NamedLog
from sinks.insert.writer import Writer
from sinks.upkeep import late_repair
from sinks.upkeep.late_repair import Repairer
from sinks.upkeep.rollups import Roller
from sori.events import decode
from sori.identity import identity, partition_key
from sori.records import event_headers
from sori.settings import load_settings
from sori.settings.kafka import KafkaSettings
from sori.settings.rules import RulesSettings
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, LATE
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord

PARTITIONS = 3
_TABLES = {CTR_WINDOWS.suffix: "ctr_windows", DEVICE_WINDOWS.suffix: "device_windows", LATE.suffix: "late_in"}


class EmbeddedPipeline:
    """One log of `PARTITIONS` partitions that begin at `first_offset`, read at their own pace by streams and sinks."""

    def __init__(self, client: Client, policy: TimePolicy, first_offset: int = 0) -> None:
        self._client = client
        self._writer = Writer(lambda: client)
        self._operators = [DeviceOperator(number, policy, RulesSettings()) for number in range(PARTITIONS)]
        self._first = first_offset
        self._partitions: list[list[FakeRecord]] = [[] for _ in range(PARTITIONS)]
        self._streamed, self._stored = [0] * PARTITIONS, [0] * PARTITIONS

    def deliver(self, body: bytes, received_ms: int) -> FakeRecord:
        """What the ingress does with a plain body; returns the record with its place in the log."""
        event = decode(body)
        headers = event_headers(
            account=event.account_id,
            event=event.name,
            endpoint="",
            verified=True,
            key_id="",
            identity=identity(event),
        )
        partition = key_hash(partition_key(event)) % PARTITIONS
        held = self._partitions[partition]
        held.append(FakeRecord(body, self._first + len(held), partition, received_ms, headers))
        return held[-1]

    def stream(self) -> None:
        """Operators apply what they have not, and flush into the tables."""
        rows: dict[str, list[FakeRecord]] = {}
        for number, operator in enumerate(self._operators):
            records = self._partitions[number][self._streamed[number] :]
            self._streamed[number] += len(records)
            operator.apply(records)
            for output in operator.flush()[0] if records else ():
                if output.topic.suffix in _TABLES:
                    rows.setdefault(_TABLES[output.topic.suffix], []).append(FakeRecord(output.value))
        for table, records in rows.items():
            self._writer.insert(packed.builder(table)(records), None)

    def store(self) -> None:
        """The sink inserts what it has not."""
        fresh = [r for held, done in zip(self._partitions, self._stored, strict=True) for r in held[done:]]
        self._stored = [len(held) for held in self._partitions]
        if fresh:
            self._writer.insert(events.build(fresh), None)

    async def upkeep(self, monkeypatch: Any) -> int:
        """Repetitions, recounts and roll-ups, once; returns how many windows were recounted."""
        committed = {number: self._first + done for number, done in enumerate(self._stored)}

        async def standing(*_: object) -> Standing:
            return Standing(committed, {}, ())

        async def look_up(*_: object) -> NamedLog:
            return NamedLog(7, 0)

        monkeypatch.setattr(late_repair, "read_standing", standing)
        monkeypatch.setattr(LogBook, "look_up", look_up)
        with ThreadPoolExecutor(1) as executor:
            book = LogBook(KafkaSettings(), self._writer, executor)
            found = await Repairer(load_settings(), self._writer, executor, book).once()
            Roller(self._writer, executor, 0.0).roll()
        return found

    async def settle(self, monkeypatch: Any) -> None:
        """Everything read, stored and repaired. Raises AssertionError if the repairs come to no end."""
        self.store()
        self.stream()
        for _ in range(4):
            if not await self.upkeep(monkeypatch):
                return
        raise AssertionError("windows are recounted again and again")
