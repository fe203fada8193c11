"""A subscriber's deliveries in simulated time: days in milliseconds."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from notify.queue import DeliveryQueue, Item
from notify.retry_policy import Outcome, Policy
from notify.subscriber import Subscriber
from sori.settings.notify import NotifySettings

Server = Callable[[float, Item], Outcome]
OK, DOWN = Outcome(204), Outcome(None, "connect")


def policy(**changes: Any) -> Policy:
    """The defaults, seeded."""
    s = NotifySettings()
    values: dict[str, Any] = {
        "retry_delays_s": s.retry_delays_s,
        "disable_after_s": s.disable_after_s,
        "pause_max_s": s.pause_max_s,
        "retry_after_max_s": s.retry_after_max_s,
        "concurrency": s.concurrency,
        "random": random.Random(7),
        **changes,
    }
    return Policy(**values)


@dataclass
class Simulation:
    """Feeds alerts at given times, lets `server` answer after `latency_s`, and notes everything."""

    server: Server
    latency_s: float = 0.05
    window: int = 256
    now_s: float = 0.0
    tried: list[tuple[float, int]] = field(default_factory=list)
    delivered: dict[int, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    exhausted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subscriber = Subscriber(policy(), [DeliveryQueue({0: 0}, self.window)])
        self.log: list[tuple[float, str]] = []
        self._flying: list[tuple[float, int, DeliveryQueue, Item]] = []

    def alerts(self, *times_and_subjects: tuple[float, str]) -> Simulation:
        """Alerts to come, in order of time."""
        self.log.extend(times_and_subjects)
        return self

    def crash(self) -> None:
        """kill -9: only the saved state is left, and the log."""
        saved = self.subscriber.state()
        self._flying.clear()
        queue = DeliveryQueue(dict(saved.queues[0].next), self.window)
        for w in saved.queues[0].waiting:
            queue.restore(self._item(w.offset, w.attempts, w.due_s))
        self.subscriber = Subscriber(
            policy(), [queue], saved.disabled, saved.failing_since_s, saved.failures, saved.not_before_s
        )

    def run(self, until_s: float) -> Simulation:
        """Let time pass."""
        while True:
            self._feed()
            for queue, item in self.subscriber.take(self.now_s):
                self.tried.append((self.now_s, item.position[1]))
                heapq.heappush(self._flying, (self.now_s + self.latency_s, item.position[1], queue, item))
            moment = self._next()
            if moment is None or moment > until_s:
                self.now_s = until_s
                self._feed()
                return self
            self.now_s = max(self.now_s, moment)
            while self._flying and self._flying[0][0] <= self.now_s:
                _, offset, queue, item = heapq.heappop(self._flying)
                self._finish(offset, queue, item)

    def _finish(self, offset: int, queue: DeliveryQueue, item: Item) -> None:
        fate = self.subscriber.finish(queue, item, self.server(self.now_s, item), self.now_s)
        if fate == "delivered":
            self.delivered.setdefault(offset, self.now_s)
            self.order.append(offset)
        elif fate == "exhausted":
            self.exhausted.append(offset)

    def _next(self) -> float | None:
        queue = self.subscriber.queues[0]
        coming = self.log[queue.next[0]][0] if queue.next[0] < len(self.log) and queue.room > 0 else None
        moments = [coming, self.subscriber.wake_at_s(self.now_s), self._flying[0][0] if self._flying else None]
        return min((m for m in moments if m is not None), default=None)

    def _feed(self) -> None:
        queue = self.subscriber.queues[0]
        while queue.room > 0 and queue.next[0] < len(self.log) and self.log[queue.next[0]][0] <= self.now_s:
            offset = queue.next[0]
            queue.feed(self._item(offset, 0, self.now_s), (0, offset))

    def _item(self, offset: int, attempts: int, due_s: float) -> Item:
        at_s, subject = self.log[offset]
        return Item((0, offset), subject, offset, due_s=due_s, since_s=at_s, attempts=attempts)
