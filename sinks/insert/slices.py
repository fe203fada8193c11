"""Cuts a large batch into slices that are inserted at the same time: the engine gets work for more than one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sinks.batch import Batch, Record

#: Fewer rows are not worth a part of their own: what it takes to merge them is more than a second core gains.
LEAST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Part `number` of a batch, with a token of its own."""

    topic: str
    number: int
    records: Sequence[Record]
    token: str


def cut(batch: Batch, most: int) -> list[Slice]:
    """At most `most` slices; the same batch always gives the same ones, hence the same blocks and tokens."""
    records, token = batch.records, batch.ranges.token
    count = max(1, min(most, len(records) // LEAST_ROWS))
    if count == 1:
        return [Slice(batch.ranges.topic, 0, records, token)]
    size = -(-len(records) // count)
    return [
        Slice(batch.ranges.topic, n, records[n * size : (n + 1) * size], f"{token}/{n + 1}of{count}")
        for n in range(count)
    ]
