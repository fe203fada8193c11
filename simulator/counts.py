"""Counts of a run, as a live view and the report show them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulator.delivery import Delivery, Status


@dataclass
class DeliveryCounts:
    """Deliveries, not events: a duplicate delivery counts as one more. `behind_s` is the worst delay of the pacing."""

    planned: int = 0
    sent: int = 0
    delivered: int = 0
    dropped: int = 0
    unsubscribed: int = 0
    interrupted: int = 0
    attempts: int = 0
    retries: int = 0
    seconds: float = 0.0
    behind_s: float = 0.0
    by_status: Counter[str] = field(default_factory=Counter)
    dropped_because: Counter[str] = field(default_factory=Counter)

    def settle(self, delivery: Delivery) -> None:
        """Count a delivery that ended."""
        self.attempts += delivery.attempts
        self.retries += max(0, delivery.attempts - 1)
        if delivery.status is Status.UNSUBSCRIBED:
            self.unsubscribed += 1
            return
        self.sent += 1
        if delivery.status is Status.DELIVERED:
            self.delivered += 1
        else:
            self.dropped += 1
            self.dropped_because[delivery.reason] += 1

    @property
    def in_flight(self) -> int:
        """Deliveries begun and not ended."""
        return self.planned - self.sent - self.unsubscribed - self.interrupted

    def report(self) -> dict[str, object]:
        """Totals as JSON; rates in deliveries per second."""
        return {
            "sent": self.sent,
            "delivered": self.delivered,
            "dropped": self.dropped,
            "unsubscribed": self.unsubscribed,
            "interrupted": self.interrupted,
            "retries": self.retries,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "delivered_per_s": round(self.delivered / self.seconds, 1) if self.seconds else 0.0,
            "behind_s": round(self.behind_s, 3),
            "by_status": dict(self.by_status.most_common()),
            "dropped_because": dict(self.dropped_because.most_common()),
        }
