"""What an operator says of alerts, without Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from sori.records import FetchedRecord
from sori.topics import FRAUD_ALERTS
from streams.operators.base import PartitionOperator

#: Longer than any window and cooldown of tests, ms.
_SILENCE_MS = 1_000_000


def alert_records(operator: PartitionOperator, records: Iterable[FetchedRecord], every: int) -> list[dict[str, Any]]:
    """All records of alerts, with a flush after each `every` records and a long silence at the end."""
    found: list[dict[str, Any]] = []

    def flush() -> None:
        found.extend(orjson.loads(one.value) for one in operator.flush()[0] if one.topic is FRAUD_ALERTS)

    for number, record in enumerate(records):
        operator.apply([record])
        if number % every == 0:
            flush()
    operator.advance(operator.clock.watermark + _SILENCE_MS)
    flush()
    return found
