"""What a backtest reads: records of the events topic by partition, in offset order, with marks of time between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sori.records import IDENTITY, NAMES, FetchedRecord
from sori.topics import GEO_ROLLUPS

#: Most records of a batch: few enough to stay in the processor's cache and to show progress.
BATCH = 10_000

#: What the ingress writes before the identity; operators read none of it.
_BEFORE_IDENTITY = tuple((name, b"") for name in NAMES if name != IDENTITY)

#: Calls a function with each of some arguments, maybe in other processes; results in order.
Run = Callable[[Callable[[Any], Any], Sequence[Any]], Sequence[Any]]


class Entry(NamedTuple):
    """A record as operators read it. `timestamp` is the time of receipt, epoch milliseconds."""

    offset: int
    timestamp: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def headers_of(identity: bytes) -> tuple[tuple[str, bytes], ...]:
    """Headers that carry an identity where the ingress puts it."""
    return (*_BEFORE_IDENTITY, (IDENTITY, identity))


def entries_of(
    offsets: Iterable[int], times: Iterable[int], values: Iterable[bytes], identities: Iterable[bytes]
) -> list[Entry]:
    """Entries of whole columns, without a Python call for each."""
    headers = [(*_BEFORE_IDENTITY, (IDENTITY, identity)) for identity in identities]
    return list(map(partial(tuple.__new__, Entry), zip(offsets, times, values, headers, strict=True)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition, going on where its last batch ended."""

    partition: int
    records: Sequence[FetchedRecord]


@dataclass(frozen=True, slots=True)
class Mark:
    """Of every partition, all records up to its first one received at `until_ms` or later have been given."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Flush:
    """One record of the roll-up topic: a worker flushed `source` at `version`, the next offset it would have read."""

    partition: int
    offset: int
    source: int
    version: int


@dataclass(frozen=True, slots=True)
class Span:
    """Times of receipt to read, epoch milliseconds, the end excluded; None: no bound."""

    from_ms: int | None = None
    to_ms: int | None = None

    def holds(self, ms: int) -> bool:
        """Whether a time lies in it."""
        return (self.from_ms is None or ms >= self.from_ms) and (self.to_ms is None or ms < self.to_ms)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a source knows of a span before it is read.

    `begin_ms`: when the first of it was received, or before. `starts`: first offset of each partition that has
    records in it; `sizes`: how many, or somewhat more. `flushes`: in the order of each roll-up partition's offsets,
    as far as they are known. `all_flushes`: none happened before the first of them.
    `place_partitions`: how many partitions the roll-up topic has. `end_ms`: when the last of it was received; None: it
    goes on.
    """

    begin_ms: int
    starts: Mapping[int, int]
    flushes: Sequence[Flush] = ()
    all_flushes: bool = False
    place_partitions: int = GEO_ROLLUPS.partitions
    sizes: Mapping[int, int] = field(default_factory=dict)
    end_ms: int | None = None


class History(Protocol):
    """A source. Raises ConfigError where it cannot be read, StorageUnavailable where nobody answers."""

    def facts(self, span: Span) -> Facts:
        """What is known before reading."""
        ...

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything received in the span; ends with a mark."""
        ...


@runtime_checkable
class Partitionable(History, Protocol):
    """A source that several processes can read."""

    def estimate(self) -> int:
        """About how many events it holds, told without reading them."""
        ...

    def survey(self, span: Span, run: Run) -> None:
        """Have `run` find out what `facts` needs."""
        ...

    def part(self, partitions: frozenset[int]) -> History:
        """Some partitions of what was surveyed, to be read in another process: with the marks of the whole."""
        ...
