"""Records that hop 1 does not count: none of them vanishes unnamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from sori.events import EventDims
from sori.records import parse_headers
from sori.topics import LATE, QUARANTINE
from streams.state.output import Output, Record, pack_lines
from streams.state.policy import TimePolicy


class Reject(NamedTuple):
    """A record, its event where it is one, why it is not counted, its event time, and what tells the event apart."""

    record: Record
    event: EventDims | None
    reason: str
    time_ms: int
    identity: str


def rejected_outputs(rejects: Sequence[Reject], partition: int, policy: TimePolicy) -> list[Output]:
    """Undecodable records to quarantine, late and future events to the late topic."""
    undecodable = [undecodable_output(r.record, r.reason, partition) for r in rejects if r.event is None]
    return undecodable + late_outputs(rejects, partition, policy)


def undecodable_output(record: Record, detail: str, partition: int) -> Output:
    """A record of the events topic that is no event: its raw bytes, to quarantine."""
    headers = parse_headers(record.headers)
    return Output(
        QUARANTINE,
        record.value or b"",
        key=headers.account.encode(),
        headers=(
            ("reason", b"undecodable"),
            ("detail", detail.encode("utf-8", "replace")[:1000]),
            ("field", b""),
            ("received_at", str(record.timestamp).encode()),
            ("endpoint", headers.endpoint.encode()),
            ("account", headers.account.encode()),
            ("verified", b"1" if headers.verified else b"0"),
            ("key_id", headers.key_id.encode()),
            ("content_type", b"application/json"),
            ("source", f"{partition}:{record.offset}".encode()),
        ),
    )


def late_outputs(rejects: Sequence[Reject], partition: int, policy: TimePolicy) -> list[Output]:
    """Rows of the late topic: events that came after their pane was evicted, or from a clock far ahead."""
    lines = [
        orjson.dumps(
            {
                "account_id": event.account_id,
                "event": event.name,
                "created_at": time_ms,
                "identity": identity,
                "window_start": (time_ms - time_ms % policy.window_ms) // 1000,
                "received_at": record.timestamp,
                "kafka_partition": partition,
                "kafka_offset": record.offset,
                "reason": reason,
            }
        )
        for record, event, reason, time_ms, identity in rejects
        if event is not None
    ]
    return pack_lines(LATE, lines, partition)
