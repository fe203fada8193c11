"""Rows of a file, which lie partition by partition, as stretches of time: so that partitions go on together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from streams.backtest.history import Batch, Entry, Mark

#: Length of a stretch, milliseconds of receipt.
STRETCH_MS = 60_000
_MOST_AT_ONCE = 50_000
#: How far times of receipt may be out of order within a partition: several ingest processes write it.
DISORDER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Rows:
    """One partition's rows in offset order. `received` holds their times; `make` makes entries of a range of them."""

    received: Sequence[int]
    make: Callable[[int, int], Sequence[Entry]]

    def __len__(self) -> int:
        return len(self.received)


def stretches(parts: Mapping[int, Rows], done: float, share: float) -> Iterator[Batch | Mark]:
    """Batches, and a mark after each stretch; `done` of the whole before, `share` of it here.

    A stretch ends in each partition before the first row received later: the rows behind that one come after it.
    """
    firsts = {number: _running_max(rows.received) for number, rows in parts.items() if len(rows)}
    if not firsts:
        return
    position = dict.fromkeys(firsts, 0)
    total, given = sum(len(rows) for rows in parts.values()), 0
    end = min(times[0] for times in firsts.values()) // STRETCH_MS * STRETCH_MS
    while given < total:
        # skip silence
        following = min(times[position[number]] for number, times in firsts.items() if position[number] < len(times))
        end = max(end, following // STRETCH_MS * STRETCH_MS) + STRETCH_MS
        for number in sorted(firsts):
            begin, stop = position[number], bisect_left(firsts[number], end, position[number])
            for at in range(begin, stop, _MOST_AT_ONCE):
                yield Batch(number, parts[number].make(at, min(at + _MOST_AT_ONCE, stop)))
            position[number] = stop
            given += stop - begin
        yield Mark(end, done + share * given / total)


def _running_max(times: Sequence[int]) -> list[int]:
    found, top = [], times[0]
    for time in times:
        if time > top:
            top = time
        found.append(top)
    return found
