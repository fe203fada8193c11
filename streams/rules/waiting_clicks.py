"""Clicks that wait for the impression that a sender may still have to deliver again; judged once that time is over.

A click waits by itself, whatever else is known of its device: what is judged, and when, is a matter of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from streams.state.device_panes import DeviceKey
from streams.state.policy import NEVER_MS


class Waiting(NamedTuple):
    """One click, and the watermark at which it is due."""

    due_ms: int
    number: int  # of those due at the same time, the first one to come is judged first
    key: DeviceKey
    time_ms: int


class WaitingClicks:
    """By the watermark at which they are due."""

    def __init__(self) -> None:
        self._heap: list[Waiting] = []
        self._number = 0

    @property
    def next_ms(self) -> int:
        """When the next one is due."""
        return self._heap[0].due_ms if self._heap else NEVER_MS

    def add(self, key: DeviceKey, time_ms: int, wait_ms: int) -> None:
        """A click at `time_ms` waits this long."""
        self._number += 1
        heappush(self._heap, Waiting(time_ms + wait_ms, self._number, key, time_ms))

    def take(self, watermark_ms: int) -> tuple[DeviceKey, int] | None:
        """The next one that is due: its device and time."""
        heap = self._heap
        if not heap or heap[0].due_ms > watermark_ms:
            return None
        taken = heappop(heap)
        return taken.key, taken.time_ms

    def state(self) -> list[Waiting]:
        """All of them."""
        return list(self._heap)

    def restore(self, state: Iterable[Waiting]) -> None:
        """Have these wait again."""
        self._heap = sorted(state)
        self._number = max((one.number for one in self._heap), default=0)
