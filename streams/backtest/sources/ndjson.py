"""History from a file of JSON lines: rows with the columns of `sori export`, or bodies as SORI sent them.

Bodies alone go where Kafka would put them, in the order of the file; their time of receipt is taken to be their event
time. An index of the file is held in memory, not the file.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import msgspec

from streams.backtest.sources.history import BATCH, Batch, Entry, Facts, Mark, Run, Span, headers_of
from streams.backtest.sources.ndjson_index import Lines, chunks, index, is_row, refused

#: A mark lies between so many events, about, and never less than a minute after the one before.
_BETWEEN_MARKS = 500_000
_MINUTE_MS = 60_000
_CHUNK_BYTES = 32 * 1024 * 1024
_USUAL_LINE = 600


class _Row(msgspec.Struct):
    raw: str
    header_identity: str = ""
    canonical: str = ""


_row = msgspec.json.Decoder(_Row).decode


class NdjsonHistory:
    """A file of JSON lines. `partitions`: how many the events topic has, for bodies alone."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._path = path
        self._partitions = partitions
        self._surveyed: Span | None = None
        self._parts: dict[int, Lines] = {}
        self._marks: list[int] = []

    def estimate(self) -> int:
        """By the size of the file."""
        return self._path.stat().st_size // _USUAL_LINE if self._path.exists() else 0

    def survey(self, span: Span, run: Run) -> None:
        """Indexes the file. Raises ConfigError naming the line that is no event."""
        found: dict[int, Lines] = {}
        for part in run(index, chunks(self._path, self._partitions, _CHUNK_BYTES)):
            for number, lines in part.items():
                found.setdefault(number, Lines()).extend(lines)
        self._parts = {}
        for number, lines in sorted(found.items()):
            within = _within(lines.ordered(), span)
            if len(within.offsets):
                self._parts[number] = within
        self._marks = _marks(list(self._parts.values()))
        self._surveyed = span

    def facts(self, span: Span) -> Facts:
        """Surveys the file, if that has not been done."""
        if self._surveyed != span:
            self.survey(span, lambda function, given: [function(one) for one in given])
        starts = {number: lines.offsets[0] for number, lines in self._parts.items()}
        sizes = {number: len(lines.offsets) for number, lines in self._parts.items()}
        begin = min((min(lines.received) for lines in self._parts.values()), default=0)
        end = max((max(lines.received) for lines in self._parts.values()), default=0)
        return Facts(begin, starts, sizes=sizes, end_ms=end)

    def part(self, partitions: frozenset[int]) -> NdjsonHistory:
        """Some partitions, with the marks of all."""
        made = NdjsonHistory(self._path, self._partitions)
        made._surveyed, made._marks = self._surveyed, self._marks
        made._parts = {number: lines for number, lines in self._parts.items() if number in partitions}
        return made

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span. A stretch ends before the first row received later: the rows behind it come after."""
        if self._surveyed != span:
            self.facts(span)
        if not self._marks:
            return
        position, newest = dict.fromkeys(self._parts, 0), {n: lines.newest() for n, lines in self._parts.items()}
        with self._path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for until in self._marks:
                for number, lines in self._parts.items():
                    begin, stop = position[number], bisect_left(newest[number], until, position[number])
                    for at in range(begin, stop, BATCH):
                        yield Batch(number, self._entries(data, lines, at, min(at + BATCH, stop)))
                    position[number] = stop
                yield Mark(until)

    def _entries(self, data: mmap.mmap, lines: Lines, begin: int, stop: int) -> list[Entry]:
        made = []
        columns = (lines.offsets, lines.received, lines.begins, lines.lengths)
        for offset, received, first, length in zip(*(column[begin:stop] for column in columns), strict=True):
            line = data[first : first + length]
            value, headers = self._of_row(line, first) if is_row(line) else (line, ())
            made.append(Entry(offset, received, value, headers))
        return made

    def _of_row(self, line: bytes, begin: int) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
        try:
            row = _row(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise refused(self._path, begin, error) from error
        return (row.canonical or row.raw).encode(), headers_of(
            row.header_identity.encode()
        ) if row.header_identity else ()


def _within(lines: Lines, span: Span) -> Lines:
    if span == Span():
        return lines
    return lines.picked([at for at, ms in enumerate(lines.received) if span.holds(ms)])


def _marks(parts: list[Lines]) -> list[int]:
    """Times of receipt, evenly, the last one after everything."""
    if not parts:
        return []
    first, last = min(min(lines.received) for lines in parts), max(max(lines.received) for lines in parts)
    count = sum(len(lines.received) for lines in parts) // _BETWEEN_MARKS + 1
    minutes = max(1, (last - first) // _MINUTE_MS // count)
    first = first // _MINUTE_MS * _MINUTE_MS
    return [*range(first + minutes * _MINUTE_MS, last + 1, minutes * _MINUTE_MS), (last // _MINUTE_MS + 1) * _MINUTE_MS]
