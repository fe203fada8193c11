"""One subscription's way through the alerts topic: what it has been fed, and what of that still waits. Pure.

Everything below `next` of its partition that is not waiting is settled: delivered, given up, or not wanted. That makes
a queue's whole state small enough for one record, and any saved state true, also an old one: resuming from it repeats
deliveries (with the same webhook-id) and never skips one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sori.alerting.subscriptions import Per

Position = tuple[int, int]  # partition, offset


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A waiting alert, as saved: where it is in Kafka, attempts so far, when the next is due (epoch seconds)."""

    partition: int
    offset: int
    attempts: int
    due_s: float


class QueueState(msgspec.Struct, frozen=True):
    """A queue, as saved. `ends` bounds a redelivery; `request` is the one that asked for it, 0 for the live queue.

    `per`: of which topic. What Kafka took before `since_ms` is no news, wherever in the log it stands.
    """

    next: dict[int, int]
    waiting: tuple[Waiting, ...] = ()
    ends: dict[int, int] | None = None
    request: int = 0
    per: Per = "alert"
    since_ms: int = 0


@dataclass(slots=True, eq=False)
class Item:
    """An alert that waits. `message` is whatever the sender needs; `subject` orders it among others."""

    position: Position
    subject: str
    message: Any
    due_s: float
    since_s: float
    attempts: int = 0
    in_flight: bool = False
    refused: bool = False


@dataclass(slots=True)
class DeliveryQueue:
    """Feed it in offset order per partition; take what is due; settle or postpone what was tried."""

    next: dict[int, int]
    limit: int
    ends: Mapping[int, int] | None = None
    request: int = 0
    per: Per = "alert"
    since_ms: int = 0
    _items: dict[Position, Item] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many more alerts may wait here."""
        return self.limit - len(self._items)

    @property
    def items(self) -> Iterable[Item]:
        """Everything that waits, oldest first."""
        return self._items.values()

    def remaining(self, partition: int) -> bool:
        """Whether there may be more to feed from this partition."""
        return self.ends is None or self.next[partition] < self.ends.get(partition, 0)

    @property
    def finished(self) -> bool:
        """Whether a bounded queue has settled all of it."""
        return self.ends is not None and not self._items and not any(self.remaining(p) for p in self.next)

    def feed(self, item: Item | None, position: Position) -> None:
        """Move past `position`; `item` waits from now on, None is settled at once."""
        partition, offset = position
        if offset < self.next[partition]:
            return
        self.next[partition] = offset + 1
        if item is not None:
            self._items[position] = item

    def restore(self, item: Item) -> None:
        """Put back a waiting alert of a saved state."""
        self._items[item.position] = item

    def startable(self) -> Iterable[Item]:
        """What may be tried as far as order goes: the oldest of each subject, unless it is being tried."""
        seen: set[str] = set()
        for item in self._items.values():
            if item.subject not in seen:
                seen.add(item.subject)
                if not item.in_flight:
                    yield item

    def settle(self, item: Item) -> None:
        """Called when an item is delivered or given up: it is never offered again."""
        self._items.pop(item.position, None)

    def state(self) -> QueueState:
        """What to save."""
        waiting = tuple(Waiting(*item.position, item.attempts, item.due_s) for item in self._items.values())
        ends = dict(self.ends) if self.ends is not None else None
        return QueueState(dict(self.next), waiting, ends, self.request, self.per, self.since_ms)

    def end_here(self) -> None:
        """Take nothing more; what waits is still delivered."""
        if self.ends is None:
            self.ends = dict(self.next)
