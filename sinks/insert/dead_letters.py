"""Rows that ClickHouse refuses go to the quarantine topic with its error, and from there to the quarantine table."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer

from runtime.kafka import clients as kafka_clients
from sinks.insert.failures import Rejected
from sinks.insert.rows import Row
from sori import topics
from sori.quarantine import Quarantined, Reason, stable_id
from sori.records import parse_headers
from sori.settings.kafka import KafkaSettings

_log = structlog.get_logger(__name__)


class DeadLetters:
    """Writes refused rows to the quarantine topic, for the store. Connects when the first one shows up.

    At least once: after an error the same rows are sent again, and readers keep one of each topic and offset.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = topics.QUARANTINE.name(settings.topic_prefix)
        self._prefix = settings.topic_prefix
        self._producer: AIOKafkaProducer | None = None

    async def send(self, source: str, culprits: Sequence[tuple[Row, Rejected]]) -> None:
        """Return when Kafka has acknowledged every refused row. Raises StorageUnavailable: send all again."""
        if self._producer is None:
            producer = kafka_clients.make_producer(self._settings)
            await kafka_clients.start(producer, self._settings.request_timeout_s, "quarantine")
            self._producer = producer
        for row, error in culprits:
            _log.warning("row_quarantined", topic=source, partition=row.partition, offset=row.offset, error=str(error))
            entry = quarantined(source.removeprefix(self._prefix), row, error)
            send = self._producer.send_and_wait(
                self._topic, row.value, entry.key, headers=entry.headers(), timestamp_ms=entry.received_at
            )
            await kafka_clients.bounded(send, self._settings.request_timeout_s, "quarantine")

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka_clients.stop(producer)


def quarantined(source: str, row: Row, error: Rejected) -> Quarantined:
    """Why, from where, and what the ingress knew of the sender; `source` is the topic's name without its prefix."""
    known = parse_headers(row.headers)
    return Quarantined(
        id=stable_id(known.endpoint, row.value or b""),
        reason=Reason.SINK_REJECTED,
        detail=str(error),
        received_at=max(0, row.timestamp),
        endpoint=known.endpoint,
        account=known.account,
        verified=known.verified,
        key_id=known.key_id,
        content_type="application/json",
        source_topic=source,
        source_partition=row.partition,
        source_offset=row.offset,
    )
