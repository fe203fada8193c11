"""History from ClickHouse: raw events by the place they had in Kafka, a stretch of receipt at a time.

Repeated deliveries that ClickHouse has merged away are missing, which changes nothing: operators count them once too.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from sori.errors import ConfigError
from streams.backtest.sources.history import Batch, Entry, Facts, Mark, Span, entries_of

#: Runs SQL and returns the answer in the ClickHouse format named. Raises QueryError or StorageUnavailable.
Ask = Callable[[str, str], bytes]

_MINUTE_MS = 60_000
_WANTED = 200_000
_AT_ONCE = 50_000


class _Minute(NamedTuple):
    """Of one partition, what was received in one minute."""

    minute: int
    partition: int
    events: int
    first: int
    last: int


class StoredHistory:
    """Whatever ClickHouse holds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._planned: tuple[Span, list[_Minute]] | None = None

    def facts(self, span: Span) -> Facts:
        """Counts per minute of receipt and partition. Raises ConfigError where a topic was made anew in the span."""
        minutes = self._minutes(span)
        starts: dict[int, int] = {}
        sizes: Counter[int] = Counter()
        for one in minutes:
            starts[one.partition] = min(one.first, starts.get(one.partition, one.first))
            sizes[one.partition] += one.events
        begin = min((one.minute for one in minutes), default=0) * _MINUTE_MS
        return Facts(begin, starts, sizes=sizes)

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span."""
        minutes = self._minutes(span)
        ends = {one.partition: 0 for one in minutes}
        for one in minutes:
            ends[one.partition] = max(ends[one.partition], one.last + 1)
        position: dict[int, int] = {}
        for one in minutes:
            position[one.partition] = min(one.first, position.get(one.partition, one.first))
        for until, firsts in _stretches(minutes):
            for partition in sorted(position):
                stop = firsts.get(partition, ends[partition])
                yield from self._batches(partition, position[partition], stop, span)
                position[partition] = max(position[partition], stop)
            yield Mark(until * _MINUTE_MS)

    def _minutes(self, span: Span) -> list[_Minute]:
        if self._planned is None or self._planned[0] != span:
            self._planned = (span, self._plan(span))
        return self._planned[1]

    def _plan(self, span: Span) -> list[_Minute]:
        minute = "intDiv(toUnixTimestamp64Milli(received_at), 60000)"
        query = (
            f"SELECT {minute} AS m, kafka_partition AS p, count() AS n,"  # noqa: S608 - numbers and names of ours
            f" min(kafka_offset) AS first, max(kafka_offset) AS last FROM events WHERE {_within(span)}"
            " GROUP BY m, p ORDER BY m, p"
        )
        rows = [json.loads(line) for line in self._ask(query, "JSONEachRow").splitlines() if line]
        minutes = [_Minute(*(int(row[name]) for name in ("m", "p", "n", "first", "last"))) for row in rows]
        newest: dict[int, int] = {}
        for one in minutes:
            if one.last < newest.get(one.partition, -1) and one.first == 0:
                raise ConfigError(
                    f"partition {one.partition} of the events topic begins anew within this span (the topic was made"
                    " anew): choose --since and --until on one side of that"
                )
            newest[one.partition] = max(one.last, newest.get(one.partition, -1))
        return minutes

    def _batches(self, partition: int, begin: int, stop: int, span: Span) -> Iterator[Batch]:
        while begin < stop:
            query = (
                "SELECT kafka_offset, toUnixTimestamp64Milli(received_at) AS ms,"  # noqa: S608 - same  # noqa: S608 - same
                " if(canonical = '', raw, canonical) AS raw, identity FROM events"
                f" WHERE kafka_partition = {partition} AND kafka_offset >= {begin} AND kafka_offset < {stop}"
                f" AND {_within(span)} ORDER BY kafka_offset LIMIT 1 BY kafka_offset LIMIT {_AT_ONCE}"
            )
            answer = self._ask(query, "ArrowStream")
            entries = _entries(answer)
            if not entries:
                return
            yield Batch(partition, entries)
            begin = entries[-1].offset + 1


def _within(span: Span) -> str:
    parts = ["kafka_offset >= 0"]
    if span.from_ms is not None:
        parts.append(f"received_at >= fromUnixTimestamp64Milli(toInt64({span.from_ms}), 'UTC')")
    if span.to_ms is not None:
        parts.append(f"received_at < fromUnixTimestamp64Milli(toInt64({span.to_ms}), 'UTC')")
    return " AND ".join(parts)


def _stretches(minutes: list[_Minute]) -> Iterator[tuple[int, dict[int, int]]]:
    """Minute at which a stretch ends, and where each partition goes on after it (absent: nowhere)."""
    later: list[dict[int, int]] = [{}]
    for one in reversed(minutes):
        known = later[-1]
        later.append({**known, one.partition: min(one.first, known.get(one.partition, one.first))})
    later.reverse()
    count = 0
    for index, one in enumerate(minutes):
        count += one.events
        final = index + 1 == len(minutes)
        if final or (count >= _WANTED and minutes[index + 1].minute > one.minute):
            yield one.minute + 1, later[index + 1]
            count = 0


def _entries(answer: bytes) -> list[Entry]:
    if not answer:
        return []
    table = pa.ipc.open_stream(io.BytesIO(answer)).read_all()
    text = [table[name].cast(pa.binary()).to_pylist() for name in ("raw", "identity")]
    return entries_of(table["kafka_offset"].to_pylist(), table["ms"].to_pylist(), *text)
