"""Rows that ClickHouse refuses go to the quarantine topic with its error, and from there to the quarantine table."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer

from runtime.kafka import clients as kafka_clients
from sinks.insert.failures import Rejected
from sinks.insert.rows import Atom
from sori import topics
from sori.records import parse_headers
from sori.settings.kafka import KafkaSettings

REASON = b"sink_rejected"
_MAX_DETAIL = 1000
_log = structlog.get_logger()


class DeadLetters:
    """Writes to the quarantine topic. Connects when the first culprit shows up."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = topics.QUARANTINE.name(settings.topic_prefix)
        self._producer: AIOKafkaProducer | None = None

    async def send(self, source: str, culprits: Sequence[tuple[Atom, Rejected]]) -> None:
        """Return when Kafka has acknowledged every culprit. Raises StorageUnavailable; then send all of them again."""
        if self._producer is None:
            producer = kafka_clients.make_producer(self._settings)
            await kafka_clients.start(producer, self._settings.request_timeout_s, "quarantine")
            self._producer = producer
        for atom, error in culprits:
            _log.warning(
                "row quarantined", topic=source, partition=atom.partition, offset=atom.offset, error=str(error)
            )
            send = self._producer.send_and_wait(
                self._topic, atom.value, headers=headers_of(source, atom, error), timestamp_ms=max(0, atom.timestamp)
            )
            await kafka_clients.bounded(send, self._settings.request_timeout_s, "quarantine")

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await kafka_clients.stop(producer)


def headers_of(source: str, atom: Atom, error: Rejected) -> list[tuple[str, bytes]]:
    """Headers of a quarantine record: why, from where, and what the ingress knew of the sender."""
    known = parse_headers(atom.headers)
    return [
        ("reason", REASON),
        ("detail", str(error)[:_MAX_DETAIL].encode()),
        ("field", b""),
        ("received_at", str(atom.timestamp).encode()),
        ("endpoint", known.endpoint.encode()),
        ("account", known.account.encode()),
        ("verified", b"1" if known.verified else b"0"),
        ("key_id", known.key_id.encode()),
        ("content_type", b"application/json"),
        ("source_topic", source.encode()),
        ("source_partition", str(atom.partition).encode()),
        ("source_offset", str(atom.offset).encode()),
    ]
