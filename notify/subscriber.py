"""One subscriber: its queues, its health, and what follows from each attempt. Pure; time is an argument, epoch seconds.

Order: alerts about one subject go out one after the other. A failing subscriber gets one attempt at a time, with pauses
that double up to `pause_max_s`, and each alert has its own schedule on top. The first success after an outage makes
everything due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from notify.queue import DeliveryQueue, Item, QueueState
from notify.retry_policy import Outcome, Policy

Disabled = Literal["", "gone", "failing"]
#: What became of an alert after an attempt.
Fate = Literal["delivered", "retry", "exhausted", "held"]

_PROBE_S = 300.0
#: So many failures in a row are an outage of the subscriber; fewer may be one alert's own fault.
_OUTAGE = 3


class SubscriberState(msgspec.Struct, frozen=True):
    """A subscriber, as saved."""

    queues: tuple[QueueState, ...] = msgspec.field(name="lanes")  # its name in what earlier releases saved
    disabled: Disabled = ""
    failing_since_s: float | None = None
    failures: int = 0
    not_before_s: float = 0.0
    requests_done: int = 0
    last_success_s: float = 0.0


@dataclass(slots=True)
class Subscriber:
    """The deliveries of one subscription."""

    policy: Policy
    queues: list[DeliveryQueue]
    disabled: Disabled = ""
    failing_since_s: float | None = None
    failures: int = 0
    not_before_s: float = 0.0
    requests_done: int = 0
    last_success_s: float = 0.0
    in_flight: int = 0
    _tried_s: float = field(default=0.0)

    def take(self, now_s: float) -> list[tuple[DeliveryQueue, Item]]:
        """What to try now; each must come back through `finish`."""
        if self.disabled or now_s < self.not_before_s:
            return []
        slots = (1 if self.failing_since_s is not None else self.policy.concurrency) - self.in_flight
        if slots <= 0:
            return []
        candidates = [(queue, item) for queue in self.queues for item in queue.startable()]
        ready = [(queue, item) for queue, item in candidates if item.due_s <= now_s][:slots]
        if not ready and candidates and self._may_probe(now_s):
            ready = [min(candidates, key=lambda pair: pair[1].due_s)]
        for _, item in ready:
            item.in_flight = True
            item.attempts += 1
            self.in_flight += 1
        if ready:
            self._tried_s = now_s
        return ready

    def take_digest(self, now_s: float) -> list[tuple[DeliveryQueue, Item]]:
        """Everything that is due, for one message; each must come back through `finish`."""
        if self.disabled or now_s < self.not_before_s or self.in_flight:
            return []
        waiting = [(queue, item) for queue in self.queues for item in queue.items]
        ready = [(queue, item) for queue, item in waiting if item.due_s <= now_s or self._may_probe(now_s)]
        for _, item in ready:
            item.in_flight = True
            item.attempts += 1
        self.in_flight += len(ready)
        if ready:
            self._tried_s = now_s
        return ready

    def finish(self, queue: DeliveryQueue, item: Item, outcome: Outcome, now_s: float) -> Fate:
        """Take note of an attempt's outcome."""
        item.in_flight = False
        self.in_flight -= 1
        if outcome.kind == "delivered":
            queue.settle(item)
            self._healthy(now_s)
            return "delivered"
        self.failures += 1
        if self.failing_since_s is None:
            self.failing_since_s = now_s
        self.not_before_s = max(self.not_before_s, now_s + self.policy.pause_s(self.failures, outcome))
        if outcome.kind == "gone":
            self.disabled = "gone"
        elif now_s - self.failing_since_s >= self.policy.disable_after_s:
            self.disabled = "failing"
        return self._after_failure(queue, item, outcome, now_s)

    def abandon(self, item: Item) -> None:
        """An attempt was cut short by us: as if it had not been."""
        item.in_flight = False
        item.attempts -= 1
        self.in_flight -= 1

    def resume(self, now_s: float) -> None:
        """Enable it again and try everything that waits."""
        self.disabled = ""
        self.not_before_s = 0.0
        self.failing_since_s = None
        self.failures = 0
        for item in self._items():
            item.due_s = min(item.due_s, now_s)

    def wake_at_s(self, now_s: float) -> float | None:
        """When `take` may have something next; None: not before something else happens."""
        if self.disabled or self.in_flight >= self.policy.concurrency:
            return None
        if self.failing_since_s is not None and self.in_flight:
            return None
        dues = [item.due_s for queue in self.queues for item in queue.startable()]
        if not dues:
            return None
        first = min(dues)
        if self._full and self.failing_since_s is not None:
            first = min(first, self._tried_s + _PROBE_S)
        return max(first, self.not_before_s, now_s)

    @property
    def live(self) -> DeliveryQueue | None:
        """The queue that has no end."""
        return next((queue for queue in self.queues if queue.ends is None), None)

    @property
    def oldest_s(self) -> float | None:
        """Since when the oldest alert waits, epoch seconds."""
        return min((item.since_s for item in self._items()), default=None)

    @property
    def waiting(self) -> int:
        """Alerts in the window."""
        return sum(queue.limit - queue.room for queue in self.queues)

    def state(self) -> SubscriberState:
        """What to save."""
        return SubscriberState(
            queues=tuple(queue.state() for queue in self.queues),
            disabled=self.disabled,
            failing_since_s=self.failing_since_s,
            failures=self.failures,
            not_before_s=self.not_before_s,
            requests_done=self.requests_done,
            last_success_s=self.last_success_s,
        )

    @property
    def _full(self) -> bool:
        return any(queue.room <= 0 for queue in self.queues)

    def _may_probe(self, now_s: float) -> bool:
        """With a full window no fresh alert can find out that the subscriber is back: an old one must."""
        failing = self.failing_since_s is not None
        return failing and self._full and not self.in_flight and now_s >= self._tried_s + _PROBE_S

    def _healthy(self, now_s: float) -> None:
        if self.failures >= _OUTAGE:
            for item in self._items():
                item.due_s = item.due_s if item.refused else min(item.due_s, now_s)
        self.failing_since_s = None
        self.failures = 0
        self.not_before_s = 0.0
        self.last_success_s = now_s

    def _items(self) -> Iterator[Item]:
        return (item for queue in self.queues for item in queue.items)

    def _after_failure(self, queue: DeliveryQueue, item: Item, outcome: Outcome, now_s: float) -> Fate:
        item.refused = outcome.kind == "refused"
        delay_s = self.policy.delay_s(item.attempts, outcome)
        if delay_s is not None:
            item.due_s = now_s + delay_s
            return "retry"
        takes_others = self.last_success_s > item.since_s
        if item.refused and takes_others and now_s - item.since_s >= self.policy.span_s:
            queue.settle(item)  # it is this alert that the subscriber does not want, to the last
            return "exhausted"
        # the fault is the subscriber's, so the alert does not pay for it
        item.due_s = now_s + max(self.policy.last_delay_s(), self.policy.asked_s(outcome))
        return "held"
