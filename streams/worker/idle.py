"""When a partition is silent, and how far its event time may then move on.

The only place where a wall clock is looked at: to decide on a tick. What a tick does is event time, and it is in the
commit before it does anything, so whoever resumes from there does the same (see operator.advance).
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.operators.base import Due

#: Between two ticks of one silence passes at least this part of `idle_after`.
_SPACING = 0.25


@dataclass(slots=True)
class Silence:
    """One partition since its last record: monotonic seconds, and the watermark that stood there."""

    since_s: float
    watermark_ms: int
    next_s: float = 0.0

    def tick_to(self, due: Due | None, idle_after_s: float, now_s: float, wall_ms: int) -> int | None:
        """Event time to move on to, or None: no earlier than needed, no further than needed.

        Event time passes as fast as the clock on the wall, `idle_after_s` behind and never ahead of it; and only as
        far as what is held needs, so that what was sent during a long silence still finds its window open.
        """
        if due is None or now_s - self.since_s < idle_after_s or now_s < self.next_s:
            return None
        passed_ms = int((now_s - self.since_s - idle_after_s) * 1000)
        reached = min(self.watermark_ms + passed_ms, wall_ms - int(idle_after_s * 1000))
        if reached < due.first_ms:
            return None
        self.next_s = now_s + idle_after_s * _SPACING
        return min(reached, due.last_ms)
