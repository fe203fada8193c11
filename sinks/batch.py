"""Batches of Kafka records: which offsets they hold, when they are due, and the token that names them.

A batch is a set of offset ranges of one log, one range per partition. The same ranges always give the same rows in the
same order, hence the same block and the same token: that is what lets ClickHouse recognise a retry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sori.records import FetchedRecord

#: Partitions of one batch, so that the ranges fit into the 4096 bytes of Kafka's commit metadata.
MAX_PARTITIONS = 64


class Record(FetchedRecord, Protocol):
    """What a sink needs of a Kafka record."""

    @property
    def partition(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LogEra:
    """Which log offsets belong to (runtime/kafka/log_identity.py), and how often its end was cut off under our commits.

    Key 0: written before logs had names.
    """

    key: int = 0
    era: int = 0

    def __str__(self) -> str:
        return f"{self.key:08x}.{self.era}"

    @classmethod
    def parse(cls, text: str) -> LogEra:
        """Inverse of str. Raises ValueError on anything else."""
        key, _, era = text.partition(".")
        return cls(int(key, 16), int(era))


UNNAMED = LogEra()


@dataclass(frozen=True, slots=True)
class Ranges:
    """Offsets per partition: first, and one past the last. None at all: the log, and nothing about to be inserted."""

    topic: str
    by_partition: Mapping[int, tuple[int, int]]
    log: LogEra = UNNAMED

    def encode(self) -> str:
        """`1a2b3c4d.0;0:10-20,1:5-6`, partitions ascending; without the log where it has no name."""
        spans = ",".join(f"{p}:{first}-{after}" for p, (first, after) in sorted(self.by_partition.items()))
        return f"{self.log};{spans}" if self.log.key else spans

    @classmethod
    def decode(cls, topic: str, text: str) -> Ranges:
        """Inverse of encode. Raises ValueError on anything else."""
        named, semicolon, spans = text.rpartition(";")
        log = LogEra.parse(named) if semicolon else UNNAMED
        found: dict[int, tuple[int, int]] = {}
        for part in spans.split(",") if spans or not semicolon else ():
            partition, _, span = part.partition(":")
            first, _, after = span.partition("-")
            found[int(partition)] = (int(first), int(after))
        return cls(topic, found, log)

    @property
    def token(self) -> str:
        """ClickHouse's insert_deduplication_token of this batch: offsets of another log never repeat it."""
        return f"{self.topic}/{self.encode()}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one topic, ordered by partition and offset."""

    ranges: Ranges
    records: Sequence[Record]


class Collector:
    """Gathers fetched records of one topic until they are due by rows, bytes or age. Time is an argument."""

    def __init__(self, topic: str, *, max_rows: int, max_bytes: int, max_age_s: float) -> None:
        self._topic = topic
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._held: dict[int, Any] = {}  # by partition: a list, or whatever else grows by +=
        self._rows = 0
        self._bytes = 0
        self._since = 0.0

    @property
    def rows(self) -> int:
        """Rows held."""
        return self._rows

    @property
    def full(self) -> bool:
        """Whether the batch is due whatever its age."""
        return self._rows >= self._max_rows or self._bytes >= self._max_bytes or len(self._held) >= MAX_PARTITIONS

    @property
    def room(self) -> int:
        """How many more records may be fetched before the batch is full; at least 1."""
        return max(1, self._max_rows - self._rows)

    def add(self, records: Sequence[Record], rows: int, now: float, size: int | None = None) -> None:
        """Hold records of one partition, in offset order; all come in one form, of which `size` says its bytes."""
        if not records:
            return
        if not self._held:
            self._since = now
        partition = records[0].partition
        if partition in self._held:
            self._held[partition] += records
        else:
            self._held[partition] = records[:]
        self._rows += rows
        self._bytes += sum([len(record.value or b"") for record in records]) if size is None else size

    def due_in(self, now: float) -> float | None:
        """Seconds until the batch is due (0 when it is), or None when nothing is held."""
        if not self._held:
            return None
        return 0.0 if self.full else max(0.0, self._since + self._max_age_s - now)

    def take(self, log: LogEra = UNNAMED) -> Batch:
        """Hand over everything held, as one batch of that log."""
        held, self._held = self._held, {}
        self._rows = self._bytes = 0
        return make_batch(self._topic, held, log)

    def clear(self) -> None:
        """Forget everything held: somebody else will read it again."""
        self._held = {}
        self._rows = self._bytes = 0


def make_batch(topic: str, held: Mapping[int, Sequence[Record]], log: LogEra = UNNAMED) -> Batch:
    """One batch from records per partition, each in offset order, all in one form."""
    spans = {partition: (rows[0].offset, rows[-1].offset + 1) for partition, rows in held.items() if rows}
    ordered: Any = None
    for partition in sorted(spans):
        if ordered is None:
            ordered = held[partition][:]
        else:
            ordered += held[partition]
    return Batch(Ranges(topic, spans, log), ordered or [])
