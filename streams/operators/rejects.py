"""Records that hop 1 does not count: none of them vanishes unnamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import orjson

from sori.events import EventDims
from sori.quarantine import Quarantined, Reason, stable_id
from sori.records import FetchedRecord, parse_headers
from sori.topics import EVENTS, LATE, QUARANTINE
from streams.state.output import Output, pack_lines

#: Why an event of what is held no more is not counted: the sinks count its window from the raw events.
CAPPED = "capped"
#: From event time to start and length of its window, milliseconds.
WindowOf = Callable[[int], tuple[int, int]]


class Reject(NamedTuple):
    """A record, its event where it is one, why it is not counted, its event time, and what tells the event apart."""

    record: FetchedRecord
    event: EventDims | None
    reason: str
    time_ms: int
    identity: str


def rejected_outputs(rejects: Sequence[Reject], partition: int, window_of: WindowOf) -> list[Output]:
    """Undecodable records to quarantine, late and future events to the late topic."""
    undecodable = [undecodable_output(r.record, r.reason, partition) for r in rejects if r.event is None]
    return undecodable + late_outputs(rejects, partition, window_of)


def undecodable_output(record: FetchedRecord, detail: str, partition: int) -> Output:
    """A record of the events topic that is no event: its raw bytes, to quarantine."""
    known, value = parse_headers(record.headers), record.value or b""
    quarantined = Quarantined(
        id=stable_id(known.endpoint, value),
        reason=Reason.UNDECODABLE,
        detail=detail,
        received_at=record.timestamp,
        endpoint=known.endpoint,
        account=known.account,
        verified=known.verified,
        key_id=known.key_id,
        content_type="application/json",
        source_topic=EVENTS.suffix,
        source_partition=partition,
        source_offset=record.offset,
    )
    return Output(QUARANTINE, value, key=quarantined.key, headers=quarantined.headers())


def late_outputs(rejects: Sequence[Reject], partition: int, window_of: WindowOf) -> list[Output]:
    """Rows of the late topic: events whose windows are gone or not whole, one too many, or from a clock far ahead."""
    lines = [
        orjson.dumps(
            {
                "account_id": event.account_id,
                "event": event.name,
                "created_at": time_ms,
                "identity": identity,
                "window_start": window[0] // 1000,
                "window_s": window[1] // 1000,
                "received_at": record.timestamp,
                "kafka_partition": partition,
                "kafka_offset": record.offset,
                "reason": reason,
            }
        )
        for record, event, reason, time_ms, identity in rejects
        if event is not None and (window := window_of(time_ms))
    ]
    return pack_lines(LATE, lines, partition)
