"""Event-time order out of generators that schedule follow-ups."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from simulator.plan import Draft


class EventOrder:
    """Drafts waiting for their moment. Ties keep the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Draft]] = []
        self._added = 0

    def add(self, draft: Draft) -> None:
        """Schedule one draft."""
        self._added += 1
        heapq.heappush(self._heap, (draft.at_ms, self._added, draft))

    def until(self, moment_ms: float) -> Iterator[Draft]:
        """Take out, in order, everything due before `moment_ms`."""
        while self._heap and self._heap[0][0] < moment_ms:
            yield heapq.heappop(self._heap)[2]


def in_order(drafts: Iterable[Draft]) -> Iterator[Draft]:
    """A finite batch in event-time order."""
    return iter(sorted(drafts, key=_at))


def merge(streams: Iterable[Iterator[Draft]]) -> Iterator[Draft]:
    """Ordered streams become one."""
    return heapq.merge(*streams, key=_at)


def _at(draft: Draft) -> int:
    return draft.at_ms
