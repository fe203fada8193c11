"""Raw events as they wait for their insert: encoded when they are fetched, while they are in the processor's cache.

Held as records, an event is some twenty objects in 2.5 kB, and each is a walk in memory when its turn comes. Here a few
hundred at a time become pieces of the block's columns, and their objects are gone; an insert is the pieces in a row.
Whoever needs records (a block that is refused, a trace) reads them out of the pieces again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat, takewhile
from typing import Any, Self, overload

from runtime.telemetry.tracing import TRACEPARENT
from sinks.builders import events
from sinks.builders.inserts import EncodedInsert
from sinks.insert.native import block_head, column_head, encode_column, read_column
from sori.records import FetchedRecord, Headers

#: So many records at a time: they fit into a processor's second cache, and what is done per piece does not count.
PIECE = 500
_NAMES = tuple(name for name in events.COLUMNS if name != "log")
_TYPES = tuple(events.COLUMNS[name] for name in _NAMES)
_PARTITION = _NAMES.index("kafka_partition")
_RAW, _RECEIVED, _OFFSET = (_NAMES.index(name) for name in ("raw", "received_ms", "kafka_offset"))
_HEADERS = slice(_NAMES.index("header_account"), None)
_VERIFIED = _NAMES.index("header_verified")


class Piece:
    """Rows of one partition: their part of each column in ClickHouse's Native format, but of `log`."""

    __slots__ = ("_read", "carriers", "columns", "rows")

    def __init__(self, columns: Sequence[bytes | bytearray], rows: int, carriers: Sequence[FetchedRecord] = ()) -> None:
        self.columns = columns
        self.rows = rows
        self.carriers = carriers
        self._read: dict[int, Sequence[Any]] = {}

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.columns))

    def column(self, number: int) -> Sequence[Any]:
        """The values of a column, read on first use."""
        if number not in self._read:
            self._read[number] = read_column(_TYPES[number], self.columns[number], self.rows)
        return self._read[number]


class EncodedEvent:
    """One row of a piece, as the record that it was; headers that were not there are empty."""

    __slots__ = ("_at", "_piece")

    def __init__(self, piece: Piece, at: int) -> None:
        self._piece = piece
        self._at = at

    @property
    def partition(self) -> int:
        """Kafka's."""
        return int(self._piece.column(_PARTITION)[self._at])

    @property
    def offset(self) -> int:
        """Kafka's."""
        return int(self._piece.column(_OFFSET)[self._at])

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds."""
        return int(self._piece.column(_RECEIVED)[self._at])

    @property
    def value(self) -> bytes:
        """The body; empty where there was none."""
        return bytes(self._piece.column(_RAW)[self._at])

    @property
    def headers(self) -> Headers:
        """All eight."""
        values = [self._piece.column(number)[self._at] for number in range(len(_NAMES))]
        values[_VERIFIED] = b"1" if values[_VERIFIED] else b"0"
        return events.headers_of(values[_HEADERS])


class EncodedEvents(Sequence[EncodedEvent]):
    """Records of the events topic; grows by whole pieces."""

    __slots__ = ("_pieces", "_rows")

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self._pieces = list(pieces)
        self._rows = sum(piece.rows for piece in self._pieces)

    @classmethod
    def of(cls, partition: int, records: Iterable[FetchedRecord]) -> EncodedEvents:
        """Records of one partition, in the order of their offsets."""
        left = iter(records)
        return cls(takewhile(lambda piece: piece.rows, (_encode(partition, islice(left, PIECE)) for _ in repeat(None))))

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(piece.size for piece in self._pieces)

    @property
    def carriers(self) -> list[FetchedRecord]:
        """Those that carry a trace, as they were fetched."""
        return [record for piece in self._pieces for record in piece.carriers]

    def insert(self, log: int) -> EncodedInsert:
        """All of them as one block: the bytes of `events.build`, encoded."""
        parts: list[bytes | bytearray] = [block_head(len(events.COLUMNS), self._rows)]
        for number, (name, type_name) in enumerate(zip(_NAMES, _TYPES, strict=True)):
            parts.append(column_head(name, type_name))
            parts += [piece.columns[number] for piece in self._pieces]
        parts += [column_head("log", events.COLUMNS["log"]), encode_column(events.COLUMNS["log"], [log]) * self._rows]
        return EncodedInsert(events.TABLE, list(events.COLUMNS), parts)

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[EncodedEvent]:
        return (EncodedEvent(piece, at) for piece in self._pieces for at in range(piece.rows))

    @overload
    def __getitem__(self, at: int) -> EncodedEvent: ...
    @overload
    def __getitem__(self, at: slice) -> EncodedEvents: ...
    def __getitem__(self, at: int | slice) -> EncodedEvent | EncodedEvents:
        if isinstance(at, slice):
            first, after, _ = at.indices(self._rows)
            return EncodedEvents(self._cut(first, after))
        wanted = range(self._rows)[at]
        for piece in self._pieces:
            if wanted < piece.rows:
                return EncodedEvent(piece, wanted)
            wanted -= piece.rows
        raise IndexError(at)

    def __iadd__(self, others: EncodedEvents) -> Self:
        self._pieces += others._pieces
        self._rows += others._rows
        return self

    def _cut(self, first: int, after: int) -> Iterator[Piece]:
        """Whole pieces as they are; of one that is cut, the rows encoded again."""
        begin = 0
        for piece in self._pieces:
            one, other = max(first - begin, 0), min(after - begin, piece.rows)
            begin += piece.rows
            if (one, other) == (0, piece.rows):
                yield piece
            elif one < other:
                rows = [EncodedEvent(piece, at) for at in range(one, other)]
                yield _encode(rows[0].partition, rows)


def _encode(partition: int, records: Iterable[FetchedRecord]) -> Piece:
    others: list[FetchedRecord] = []
    raw, received, *more = events.columns(records, others)
    columns = [raw, received, [partition] * len(raw), *more]
    encoded = [encode_column(type_name, column) for type_name, column in zip(_TYPES, columns, strict=True)]
    return Piece(encoded, len(raw), [record for record in others if TRACEPARENT in dict(record.headers)])
