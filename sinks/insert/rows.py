"""The smallest pieces of a batch that ClickHouse may refuse on their own: a record, or one line of a packed record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sinks.batch import Headers, Record


@dataclass(frozen=True, slots=True)
class Atom:
    """Looks like a Kafka record, and may be one line of it."""

    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: Headers


def atoms(records: Sequence[Record], *, packed: bool) -> list[Atom]:
    """Every piece, in order."""
    return list(_packed(records) if packed else (_atom(record, record.value) for record in records))


def _packed(records: Sequence[Record]) -> Iterator[Atom]:
    for record in records:
        for line in (record.value or b"").split(b"\n"):
            if line.strip():
                yield _atom(record, line)


def _atom(record: Record, value: bytes | None) -> Atom:
    return Atom(record.partition, record.offset, record.timestamp, value, record.headers)
