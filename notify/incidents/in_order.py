"""Records of several partitions in the order of time, while there is a past to catch up with. Pure.

Read partition by partition, a day of one would be over, and forgotten, before the alerts of the next one came that
belonged to it. Once caught up, records are taken as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runtime.kafka.alert_log import Entry

#: A partition that is so far ahead of the others is not read on for a while.
MOST_WAITING = 5_000


@dataclass(slots=True)
class InOrder:
    """`next`: the offset of each partition to take next; `ends`: where the past ends."""

    next: dict[int, int]
    ends: Mapping[int, int]
    _waiting: dict[int, deque[Entry]] = field(default_factory=dict)
    _hurry: bool = False

    def add(self, entries: Iterable[Entry]) -> None:
        """Records as they were read, in order per partition."""
        for entry in entries:
            self._waiting.setdefault(entry.partition, deque()).append(entry)

    def take(self) -> Iterator[Entry]:
        """What can be taken now, in order; `next` moves with it."""
        while heads := [waiting[0] for waiting in self._waiting.values() if waiting]:
            if not self._hurry and any(self._lags(partition) for partition in self.next):
                return
            first = min(heads, key=lambda entry: (entry.timestamp_ms, entry.partition))
            self._waiting[first.partition].popleft()
            self.next[first.partition] = first.offset + 1
            yield first

    def hurry(self) -> None:
        """There is nothing more to read of the past, whatever its ends said: retention took it."""
        self._hurry = True

    @property
    def crowded(self) -> frozenset[int]:
        """Partitions to read no further for now."""
        return frozenset(p for p, waiting in self._waiting.items() if len(waiting) >= MOST_WAITING)

    def _lags(self, partition: int) -> bool:
        """Whether older records may still come from it than those that wait."""
        return not self._waiting.get(partition) and self.next[partition] < self.ends.get(partition, 0)
