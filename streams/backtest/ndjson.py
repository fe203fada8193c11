"""History from a file of JSON lines: rows with the columns of `sori export`, or bodies as SORI sent them.

Bodies alone go where Kafka would put them, in the order of the file; their time of receipt is taken to be their event
time. The file is held in memory: for much history, Parquet is for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from aiokafka.partitioner import murmur2

from sori.errors import ConfigError, EventError
from sori.events import decode
from sori.identity import identity, partition_key
from streams.backtest.history import Batch, Entry, Facts, Mark, Span, headers_of
from streams.backtest.stretches import Rows, stretches


class _Line(msgspec.Struct):
    raw: str
    kafka_partition: int
    kafka_offset: int
    received_ms: int
    header_identity: str = ""


_row = msgspec.json.Decoder(_Line).decode


class NdjsonHistory:
    """A file of JSON lines. `partitions`: how many the events topic has, for bodies alone."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._path = path
        self._partitions = partitions
        self._parts: dict[int, list[Entry]] | None = None

    def facts(self, span: Span) -> Facts:
        """Reads the file."""
        parts = self._within(span)
        times = [entry.timestamp for entries in parts.values() for entry in entries]
        starts = {number: entries[0].offset for number, entries in parts.items()}
        return Facts(min(times, default=0), starts)

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span. Raises ConfigError naming the line that is no event."""
        rows = {
            number: Rows([entry.timestamp for entry in entries], lambda a, b, entries=entries: entries[a:b])  # type: ignore[misc]
            for number, entries in self._within(span).items()
        }
        yield from stretches(rows, 0.0, 1.0)

    def _within(self, span: Span) -> dict[int, list[Entry]]:
        if self._parts is None:
            self._parts = self._load()
        found = {
            number: [entry for entry in part if span.holds(entry.timestamp)] for number, part in self._parts.items()
        }
        return {number: entries for number, entries in found.items() if entries}

    def _load(self) -> dict[int, list[Entry]]:
        parts: dict[int, list[Entry]] = defaultdict(list)
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self._take(parts, line.strip(), number)
        except OSError as error:
            raise ConfigError(f"cannot read {self._path}: {error.strerror}") from error
        for entries in parts.values():
            entries.sort(key=lambda entry: entry.offset)
        return parts

    def _take(self, parts: dict[int, list[Entry]], line: bytes, number: int) -> None:
        try:
            if b'"raw"' in line and b'"kafka_offset"' in line:
                row = _row(line)
                entry = Entry(
                    row.kafka_offset, row.received_ms, row.raw.encode(), headers_of(row.header_identity.encode())
                )
                if not row.header_identity:
                    entry = entry._replace(headers=())
                parts[row.kafka_partition].append(entry)
                return
            event = decode(line)
            partition = (murmur2(partition_key(event)) & 0x7FFFFFFF) % self._partitions
            offset = len(parts[partition])
            parts[partition].append(Entry(offset, event.created_ms, line, headers_of(identity(event).encode())))
        except (msgspec.DecodeError, UnicodeError, EventError) as error:
            raise ConfigError(f"{self._path}, line {number}: {error}") from error
