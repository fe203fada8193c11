"""What each stage may do in Kafka, and nothing else: the list that `sori topics acls` prints and applies.

A right to READ or WRITE a topic includes that to DESCRIBE it; a producer that may WRITE anywhere may be idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sori import topics
from sori.settings import Settings
from sori.settings.kafka_login import Stage
from sori.topics import Topic

Resource = Literal["topic", "group", "cluster"]


@dataclass(frozen=True, slots=True)
class Right:
    """One operation on one resource, or with `prefixed` on all whose names begin so."""

    resource: Resource
    name: str
    operation: str
    prefixed: bool = False

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.prefixed else ''}"


#: What a stage reads, and what it writes.
TOPICS: Mapping[Stage, tuple[tuple[Topic, ...], tuple[Topic, ...]]] = {
    "ingest": ((), (topics.EVENTS, topics.QUARANTINE)),
    "streams": (
        (topics.EVENTS, topics.GEO_ROLLUPS, topics.VERDICTS, topics.STATE),
        (
            topics.CTR_WINDOWS,
            topics.DEVICE_WINDOWS,
            topics.GEO_ROLLUPS,
            topics.FRAUD_ALERTS,
            topics.LATE,
            topics.QUARANTINE,
            topics.STATE,
        ),
    ),
    "sinks": (
        (
            topics.EVENTS,
            topics.CTR_WINDOWS,
            topics.DEVICE_WINDOWS,
            topics.FRAUD_ALERTS,
            topics.INCIDENTS,
            topics.LATE,
            topics.SESSION_RECORDS,
            topics.DELIVERY_ATTEMPTS,
            topics.VERDICTS,
            topics.QUARANTINE,
        ),
        (topics.QUARANTINE,),
    ),
    "notify": (
        (topics.FRAUD_ALERTS, topics.INCIDENTS, topics.SUBSCRIPTIONS, topics.DELIVERY_STATE),
        (topics.INCIDENTS, topics.DELIVERY_STATE, topics.DELIVERY_ATTEMPTS),
    ),
    "api": (
        (topics.FRAUD_ALERTS, topics.API_TOKENS, topics.SUBSCRIPTIONS, topics.VERDICTS, topics.DELIVERY_STATE),
        (topics.SUBSCRIPTIONS, topics.VERDICTS),
    ),
}
_ADMIN = ("CREATE", "ALTER", "DESCRIBE_CONFIGS", "READ", "WRITE")


def rights_of(stage: Stage, settings: Settings) -> list[Right]:
    """The least that a stage needs, by the names that the settings give."""
    prefix = settings.kafka.topic_prefix
    if stage == "admin":
        return [
            *(Right("topic", prefix, operation, prefixed=True) for operation in _ADMIN),
            Right("group", settings.streams.group, "DESCRIBE"),
            Right("group", settings.notify.incident_group, "DESCRIBE"),
            Right("group", f"{settings.sinks.group}.", "DESCRIBE", prefixed=True),
            Right("cluster", "kafka-cluster", "ALTER"),
        ]
    reads, writes = TOPICS[stage]
    rights = [Right("topic", topic.name(prefix), "READ") for topic in reads]
    rights += [Right("topic", topic.name(prefix), "WRITE") for topic in writes]
    if stage == "notify":
        rights.append(Right("group", settings.notify.incident_group, "READ"))
    if stage == "streams":
        rights.append(Right("group", settings.streams.group, "READ"))
    if stage == "sinks":
        rights += [Right("group", f"{settings.sinks.group}.{topic.suffix}", "READ") for topic in reads]
    return rights
