"""When to try again, and when to give up. Pure: outcomes and time in, decisions out.

Attempts, schedule and the meaning of statuses follow Standard Webhooks 1.0.0: any 2xx is delivered, everything else is
not; 410 ends the subscription; 429, 502 and 504 ask to slow down; Retry-After is heeded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

Kind = Literal["delivered", "gone", "throttled", "refused", "unreachable"]

_THROTTLES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `status` is None when no answer came; then `error` says why, in one word."""

    status: int | None
    error: str = ""
    retry_after_s: float | None = None
    duration_s: float = 0.0

    @property
    def kind(self) -> Kind:
        """What it means for the subscriber as a whole."""
        if self.status is None:
            return "unreachable"
        if 200 <= self.status < 300:
            return "delivered"
        if self.status == 410:
            return "gone"
        if self.status in _THROTTLES or self.status == 408:
            return "throttled"
        return "unreachable" if self.status >= 500 else "refused"


@dataclass(frozen=True, slots=True)
class Policy:
    """The figures; see NotifySettings. All in seconds."""

    retry_delays_s: tuple[float, ...]
    disable_after_s: float
    pause_max_s: float
    retry_after_max_s: float
    concurrency: int
    random: random.Random = field(default_factory=random.Random)

    def delay_s(self, attempts: int, outcome: Outcome) -> float | None:
        """Wait before the next attempt after `attempts` of them; None when the schedule is over."""
        if attempts > len(self.retry_delays_s):
            return None
        jittered = self.retry_delays_s[attempts - 1] * self.random.uniform(1.0, 1.2)
        return max(jittered, self.asked_s(outcome))

    def last_delay_s(self) -> float:
        """Wait between attempts when the schedule is over and the subscriber takes nothing at all."""
        return (self.retry_delays_s[-1] if self.retry_delays_s else self.pause_max_s) * self.random.uniform(1.0, 1.2)

    def pause_s(self, failures: int, outcome: Outcome) -> float:
        """Wait before anything else goes to a subscriber that failed `failures` times in a row."""
        asked = self.asked_s(outcome)
        if outcome.kind == "refused":  # it is there, it does not like this one alert
            return asked
        return max(asked, min(self.pause_max_s, 2.0 ** min(failures - 1, 30)) * self.random.uniform(0.8, 1.0))

    @property
    def span_s(self) -> float:
        """The schedule from the first attempt to the last, without jitter."""
        return sum(self.retry_delays_s)

    def asked_s(self, outcome: Outcome) -> float:
        """What Retry-After asked for, within reason."""
        return min(outcome.retry_after_s or 0.0, self.retry_after_max_s)


def parse_retry_after(text: str | None, now_s: float) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or an HTTP date; None when it says nothing sensible."""
    if not text or len(text) > 64:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now_s)
    except (ValueError, TypeError, OverflowError, IndexError):  # what the standard library's parser is known to raise
        return None
