"""When many subjects of one rule and account are one alert.

In each slot of event time the first few subjects of one kind in an account that exceed a rule get alerts of their own;
from then on they share one. Slots are absolute, and short enough that whoever replays from the replay start of anything
in a slot sees all findings of the slot exactly: so who is whose member is a matter of the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.alerts.episode import Episode


@dataclass(frozen=True, slots=True)
class Slots:
    """Of one rule: length of a slot, and how old what it judged may be to be sure in any replay; milliseconds."""

    length_ms: int
    sure_ms: int

    @classmethod
    def fitting(cls, wanted_ms: int, *, lateness_ms: int, lookback_ms: int, cooldown_ms: int) -> Slots:
        """Slots no longer than what lateness leaves beyond what the rule and its episodes need."""
        sure_ms = lateness_ms - lookback_ms
        return cls(min(wanted_ms, sure_ms - cooldown_ms), sure_ms)

    def of(self, watermark_ms: int, at_ms: int) -> int | None:
        """The slot in which a subject found for `at_ms` counts; None where a replay might not find it."""
        if self.length_ms <= 0:
            return None
        slot = watermark_ms // self.length_ms
        return slot if at_ms >= self.ends_ms(slot) - self.sure_ms else None

    def ends_ms(self, slot: int) -> int:
        """Where a slot ends."""
        return (slot + 1) * self.length_ms


@dataclass(slots=True)
class Tally:
    """Subjects of one rule, account and kind found in one slot, and the group that takes further ones."""

    slot: int
    subjects: int = 0
    group: Episode | None = None
