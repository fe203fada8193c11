"""Every Kafka topic: the only contract between stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: The largest record that any topic takes; a producer of what may grow must be told, its own default is 1 MiB.
MOST_BYTES = 8 * 1024 * 1024
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `suffix` follows the configured prefix; `key` and `schema` are for readers of `sori topics list`."""

    suffix: str
    partitions: int
    retention_ms: int
    key: str
    schema: str
    cleanup: Literal["delete", "compact"] = "delete"
    extra: dict[str, str] = field(default_factory=dict)

    def name(self, prefix: str = "sori.") -> str:
        """Full topic name."""
        return prefix + self.suffix

    def config(self) -> dict[str, str]:
        """Topic-level Kafka settings."""
        policy = {"cleanup.policy": self.cleanup, "max.message.bytes": str(MOST_BYTES)}
        retention = {} if self.cleanup == "compact" else {"retention.ms": str(self.retention_ms)}
        return {**policy, **retention, **self.extra}


#: Event time is in created_at; the record timestamp is received_at and must stay the ingress's, hence CreateTime.
EVENTS = Topic(
    "events",
    6,
    7 * _DAY_MS,
    "device_id, else activity_id, else account_id",
    "webhook body as signed",
    extra={"message.timestamp.type": "CreateTime"},
)
QUARANTINE = Topic("quarantine", 2, 30 * _DAY_MS, "account_id", "raw bytes; reason and detail in headers")
CTR_WINDOWS = Topic("ctr-windows", 6, 2 * _DAY_MS, "none", "NDJSON rows, cumulative upserts")
DEVICE_WINDOWS = Topic("device-windows", 6, 2 * _DAY_MS, "none", "NDJSON rows, cumulative upserts")
GEO_ROLLUPS = Topic("geo-rollups", 4, 2 * _DAY_MS, "account and place", "NDJSON rows, cumulative upserts")
FRAUD_ALERTS = Topic("fraud-alerts", 4, 30 * _DAY_MS, "account_id/subject", "one alert as JSON")
#: Whoever was away for less than the lag reads all of it, else the newest states; what is long over is deleted.
INCIDENTS = Topic(
    "incidents",
    1,
    8 * _DAY_MS,
    "incident id",
    "one incident as JSON",
    cleanup="compact",
    extra={"segment.bytes": str(16 * 1024 * 1024), "min.compaction.lag.ms": str(7 * _DAY_MS)},
)
LATE = Topic("late", 2, 7 * _DAY_MS, "none", "NDJSON rows, one per late event")
SESSION_RECORDS = Topic("session-records", 2, 7 * _DAY_MS, "device_id", "one of the customer's session records as JSON")
SUBSCRIPTIONS = Topic("subscriptions", 1, 0, "subscription id", "one subscription as JSON", cleanup="compact")
#: What an analyst said of a target; the newest says what is in force. A replay asks what was in force when the oldest
#: event that it reads again came in, so nothing younger than that may be compacted away: events are kept for 7 days.
VERDICTS = Topic(
    "verdicts",
    1,
    0,
    "verdict id",
    "one analyst's verdict as JSON",
    cleanup="compact",
    extra={"min.compaction.lag.ms": str(30 * _DAY_MS)},
)
API_TOKENS = Topic("api-tokens", 1, 0, "token id", "one API token as JSON, hashed", cleanup="compact")
#: Written often, read only at a start: small segments keep it short, since Kafka never compacts the newest one.
DELIVERY_STATE = Topic(
    "delivery-state",
    1,
    0,
    "subscription id",
    "where one subscription stands, as JSON",
    cleanup="compact",
    extra={"segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"},
)
DELIVERY_ATTEMPTS = Topic("delivery-attempts", 2, 30 * _DAY_MS, "subscription id", "NDJSON rows, one per attempt")
#: Snapshots of the streams: much is written, and deleted soon; what is not compacted yet is never read.
STATE = Topic(
    "state",
    6,
    0,
    "group, partition and record number",
    "parts of the state of one partition, msgpack",
    cleanup="compact",
    extra={
        "segment.bytes": str(64 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.3",
        "min.compaction.lag.ms": "60000",
        "delete.retention.ms": "600000",
    },
)

TOPICS = (
    EVENTS,
    QUARANTINE,
    CTR_WINDOWS,
    DEVICE_WINDOWS,
    GEO_ROLLUPS,
    FRAUD_ALERTS,
    INCIDENTS,
    LATE,
    SESSION_RECORDS,
    SUBSCRIPTIONS,
    VERDICTS,
    API_TOKENS,
    DELIVERY_STATE,
    DELIVERY_ATTEMPTS,
    STATE,
)
