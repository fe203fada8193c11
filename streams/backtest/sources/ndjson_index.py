"""Where in a file of JSON lines each record lies, and when it was received, by partition.

A line costs a few machine words, so that a file larger than the memory can be read; its body is decoded when its turn
comes. A chunk of the file is indexed on its own, so that several processes can each do some.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
from aiokafka.partitioner import murmur2

from sori.errors import ConfigError, EventError
from sori.events import decode
from sori.identity import partition_key

_BODY = -1


class Chunk(NamedTuple):
    """Lines that begin in [begin, end) of a file. `partitions`: how many the events topic has, for bodies alone."""

    path: Path
    begin: int
    end: int
    partitions: int


class _Place(msgspec.Struct):
    raw: msgspec.Raw  # must be there, is read later
    kafka_partition: int
    kafka_offset: int
    received_ms: int


_place = msgspec.json.Decoder(_Place).decode


class Lines:
    """Lines of one partition, column by column: offset, time of receipt, first byte, length."""

    __slots__ = ("begins", "lengths", "offsets", "received")

    def __init__(self) -> None:
        self.offsets = array("q")
        self.received = array("q")
        self.begins = array("q")
        self.lengths = array("q")

    def add(self, offset: int, received_ms: int, begin: int, length: int) -> None:
        """Append a line."""
        self.offsets.append(offset)
        self.received.append(received_ms)
        self.begins.append(begin)
        self.lengths.append(length)

    def extend(self, other: Lines) -> None:
        """Append the lines of the next chunk."""
        self.offsets += other.offsets
        self.received += other.received
        self.begins += other.begins
        self.lengths += other.lengths

    def ordered(self) -> Lines:
        """In the order of offsets. A body's offset is where in the file it comes."""
        offsets = [at if offset == _BODY else offset for at, offset in enumerate(self.offsets)]
        self.offsets = array("q", offsets)
        if all(a <= b for a, b in pairwise(offsets)):
            return self
        return self.picked(sorted(range(len(offsets)), key=offsets.__getitem__))

    def picked(self, positions: Sequence[int]) -> Lines:
        """Some of these lines."""
        made = Lines()
        for at in positions:
            made.add(self.offsets[at], self.received[at], self.begins[at], self.lengths[at])
        return made

    def newest(self) -> list[int]:
        """For each line, the latest time of receipt up to it."""
        return list(accumulate(self.received, max))


def chunks(path: Path, partitions: int, bytes_each: int) -> list[Chunk]:
    """The whole file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return [Chunk(path, at, min(size, at + bytes_each), partitions) for at in range(0, size, bytes_each)]


def index(chunk: Chunk) -> dict[int, Lines]:
    """The lines of a chunk, in the order of the file. Raises ConfigError naming the line that is no event."""
    found: dict[int, Lines] = {}
    try:
        for begin, line in _lines(chunk):
            try:
                number, offset, received_ms = _look(line, chunk.partitions)
            except (msgspec.DecodeError, UnicodeError, EventError) as error:
                raise refused(chunk.path, begin, error) from error
            lines = found.get(number)
            if lines is None:
                lines = found[number] = Lines()
            lines.add(offset, received_ms, begin, len(line))
    except OSError as error:
        raise ConfigError(f"cannot read {chunk.path}: {error.strerror}") from error
    return found


def refused(path: Path, begin: int, error: Exception) -> ConfigError:
    """What is wrong with the line at a byte."""
    with path.open("rb") as file:
        number = sum(file.read(min(1 << 20, begin - at)).count(b"\n") for at in range(0, begin, 1 << 20)) + 1
    return ConfigError(f"{path}, line {number}: {error}")


def is_row(line: bytes) -> bool:
    """Whether a line is a row of an export, not a body."""
    return b'"raw"' in line and b'"kafka_offset"' in line


def _lines(chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, stripped, and where each begins."""
    with chunk.path.open("rb") as file:
        at = 0
        if chunk.begin:
            file.seek(chunk.begin - 1)
            at = chunk.begin - 1 + len(file.readline())
        for line in file:
            if at >= chunk.end:
                return
            stripped = line.strip()
            if stripped:
                yield at + line.index(stripped[:1]), stripped
            at += len(line)


def _look(line: bytes, partitions: int) -> tuple[int, int, int]:
    """Partition, offset, time of receipt."""
    if is_row(line):
        row = _place(line)
        return row.kafka_partition, row.kafka_offset, row.received_ms
    event = decode(line)
    return _hash(partition_key(event)) % partitions, _BODY, event.created_ms


@lru_cache(maxsize=100_000)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
