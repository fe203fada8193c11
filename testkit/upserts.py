"""Reads the packed output topics as a table: highest version per key wins."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

import orjson

from runtime.kafka.clients import make_consumer, start, stop
from sori.settings.kafka import KafkaSettings
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS, Topic

_COUNTS = {"impressions", "clicks", "suspect_clicks", "authentications", "version"}


class UpsertTables:
    """Tables of the stream outputs, fed from Kafka by `poll`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._names = {topic.name(kafka.topic_prefix): topic for topic in (CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS)}
        self._consumer = make_consumer(kafka, *self._names)
        self.rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {name: {} for name in self._names}
        self.alert_records: list[dict[str, Any]] = []
        self._prefix = kafka.topic_prefix

    async def __aenter__(self) -> Self:
        await start(self._consumer, 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop(self._consumer)

    async def poll(self) -> None:
        """Take what is there."""
        for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
            for record in records:
                for line in record.value.split(b"\n"):
                    self._upsert(tp.topic, orjson.loads(line))

    def _upsert(self, topic: str, row: dict[str, Any]) -> None:
        if self._names[topic] is FRAUD_ALERTS:
            self.alert_records.append(row)
            key: tuple[Any, ...] = (row["alert_id"],)
        else:
            key = tuple(value for name, value in sorted(row.items()) if name not in _COUNTS)
        known = self.rows[topic].get(key)
        if known is None or known["version"] <= row["version"]:
            self.rows[topic][key] = row

    def table(self, topic: Topic) -> list[dict[str, Any]]:
        """Newest rows."""
        return list(self.rows[topic.name(self._prefix)].values())

    def totals(self, topic: Topic, *by: str, counts: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
        """Sums over source partitions: (by..., name of the count) -> sum, zeros left out."""
        sums: Counter[tuple[Any, ...]] = Counter()
        for row in self.table(topic):
            for count in counts:
                sums[(*(row[name] for name in by), count)] += row[count]
        return +sums
