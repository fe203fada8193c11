"""The smallest pieces of a batch that ClickHouse may refuse on their own: a record, or one line of a packed record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sinks.batch import Record
from sori.records import Headers


@dataclass(frozen=True, slots=True)
class Row:
    """Looks like a Kafka record, and may be one line of it."""

    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: Headers


def rows_of(records: Sequence[Record], *, packed: bool) -> list[Row]:
    """Every piece, in order."""
    return list(_packed(records) if packed else (_row(record, record.value) for record in records))


def _packed(records: Sequence[Record]) -> Iterator[Row]:
    for record in records:
        for line in (record.value or b"").split(b"\n"):
            if line.strip():
                yield _row(record, line)


def _row(record: Record, value: bytes | None) -> Row:
    return Row(record.partition, record.offset, record.timestamp, value, record.headers)
