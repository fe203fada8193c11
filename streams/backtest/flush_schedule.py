"""When hop 1 is flushed, and in which order hop 2 gets what it emits.

A rule about places judges whatever roll-ups have come so far, so its alerts depend on when workers flushed. Where that
is known, from the records of the roll-up topic, a backtest does the same; elsewhere each partition is flushed once per
interval of receipt, partitions in turn, which is what workers do that keep up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from sori.records import FetchedRecord
from streams.backtest.sources.history import Flush
from streams.state.place_panes import RollUp

_row = msgspec.json.Decoder(RollUp).decode


class Cut(NamedTuple):
    """Flush after the records before index `end`; `version` is that of a flush that happened, None: it is assumed.

    `tick`: which interval of receipt has ended.
    """

    end: int
    version: int | None
    tick: int


class Cutter:
    """Where one partition is flushed: at `versions` between the first and the last of them, else every interval.

    `known_from`: no flush is assumed from this offset on up to the last version.
    """

    def __init__(self, versions: Sequence[int], interval_ms: int, known_from: int | None = None) -> None:
        self._versions = versions
        self._known_from = known_from if known_from is not None else versions[0] if versions else 0
        self._interval_ms = interval_ms
        self._next = -1
        #: The interval of receipt under way.
        self.tick = -1

    def cuts(self, records: Sequence[FetchedRecord]) -> list[Cut]:
        """Cuts within these records, which go on where those of the last call ended, or right after them."""
        versions, begin, after = self._versions, records[0].offset, records[-1].offset + 1
        if self._next < 0:
            self._next = bisect_right(versions, begin)
            self.tick = records[0].timestamp // self._interval_ms
        if not versions or after <= self._known_from or begin >= versions[-1]:
            return [*self._known(records, after), *self._assumed(records, 0)]
        first = bisect_left(records, self._known_from, key=_offset)
        last = bisect_left(records, versions[-1], key=_offset)
        return [
            *self._assumed(records[:first], 0),
            *self._known(records, after),
            *self._assumed(records[last:], last),
        ]

    def end_before(self, tick: int, next_offset: int) -> bool:
        """All intervals before `tick` have ended; whether that calls for a flush at `next_offset`."""
        versions = self._versions
        if self.tick >= tick:
            return False
        return not versions or not self._known_from <= next_offset < versions[-1]

    def version_after(self, next_offset: int) -> int | None:
        """The flush that took what is left: repeated deliveries at its end may be missing from history."""
        at = bisect_left(self._versions, next_offset)
        return self._versions[at] if at < len(self._versions) else None

    def _assumed(self, records: Sequence[FetchedRecord], shift: int) -> Iterator[Cut]:
        interval, tick = self._interval_ms, self.tick
        for index, record in enumerate(records, shift):
            at = record.timestamp // interval
            if at > tick:
                yield Cut(index, None, tick)
                tick = at
        self.tick = tick

    def _known(self, records: Sequence[FetchedRecord], after: int) -> Iterator[Cut]:
        versions = self._versions
        while self._next < len(versions) and versions[self._next] <= after:
            version = versions[self._next]
            self._next += 1
            yield Cut(bisect_left(records, version, key=_offset), version, self.tick)


def _offset(record: FetchedRecord) -> int:
    return record.offset


#: What a partition gets of one flush: records of JSON lines.
Records = tuple[bytes, ...]


class Sequencer:
    """The order in which one roll-up partition gets the records of all sources.

    `order`: flushes that happened, as that partition holds them. `starts`: first offset that is read of each source:
    what was flushed before it is not waited for, nor is a source that is not read.
    """

    def __init__(self, order: Iterable[Flush], starts: Mapping[int, int]) -> None:
        self._order = [(flush.source, flush.version) for flush in order]
        self._known = set(self._order)
        self._at = 0
        self._passed: dict[int, float] = {source: float("inf") for source, _ in self._order}
        self._passed.update(starts)
        self._ready: dict[tuple[int, int], Records] = {}
        self._waiting: dict[int, Records] = {}  # emitted at flushes that this partition did not get
        self._assumed: list[tuple[int, int, Records]] = []

    def add(self, source: int, version: int | None, tick: int, records: Records) -> None:
        """What `source` emitted at a flush."""
        if version is None:
            self._assumed.append((tick, source, records))
            return
        self._passed[source] = version
        if source in self._waiting:
            records = _newest(self._waiting.pop(source), records)
        if (source, version) in self._known:
            self._ready[source, version] = records
        elif records:
            self._waiting[source] = records

    def take(self, *, final: bool = False) -> Iterator[Records]:
        """What can be merged now, in order."""
        assumed = sorted(self._assumed, key=lambda item: item[:2])
        self._assumed.clear()
        yield from (records for _, _, records in assumed if records)
        while self._at < len(self._order):
            source, version = self._order[self._at]
            if version > self._passed[source] and not final:
                return
            self._at += 1
            records = self._ready.pop((source, version), None)
            if records:
                yield records


def _newest(*parts: Records) -> Records:
    """Rows that were lost and sent again by the next flush: in its order, those of a pane by first change."""
    lines = [line for records in parts for rows in records for line in rows.split(b"\n") if line]
    newest = {((row := _row(line)).pane_start, row.upsert_key): (row, line) for line in lines}
    ordered = sorted(newest.values(), key=lambda both: (not both[0].is_of_all, both[0].pane_start))
    return tuple(b"\n".join(line for _, line in part) for _, part in groupby(ordered, key=_is_of_all))


def _is_of_all(one: tuple[RollUp, bytes]) -> bool:
    return one[0].is_of_all
