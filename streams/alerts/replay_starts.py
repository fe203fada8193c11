"""What alerts must be rebuilt from, and the least of it: known at a commit without looking at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

from streams.alerts.episode import Episode
from streams.state.checkpoint import ReplayStart

#: So many that are needed no more may lie behind one that is.
_ROOM = 1_000

_Heap = list[tuple[int, int, Episode]]


class ReplayStarts:
    """Of alerts as long as they are `needed`; once one is not, it never is again."""

    def __init__(self, needed: Callable[[Episode], bool]) -> None:
        self._needed = needed
        self._by_low: _Heap = []
        self._by_horizon: _Heap = []
        self._most = _ROOM

    def add(self, episode: Episode) -> None:
        """An alert began."""
        start = episode.replay_start
        heappush(self._by_low, (start.low, episode.number, episode))
        heappush(self._by_horizon, (start.horizon_ms, episode.number, episode))

    def least(self) -> Iterable[ReplayStart]:
        """What rebuilds all that are needed; nothing where none is."""
        if len(self._by_low) > self._most:
            for heap in (self._by_low, self._by_horizon):
                heap[:] = [entry for entry in heap if self._needed(entry[2])]
                heapify(heap)
            self._most = 2 * len(self._by_low) + _ROOM
        for heap in (self._by_low, self._by_horizon):
            while heap and not self._needed(heap[0][2]):
                heappop(heap)
        return (ReplayStart(self._by_low[0][0], self._by_horizon[0][0]),) if self._by_low else ()
