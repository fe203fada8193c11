"""Subjects of alerts whose panes got impressions after they were over: asked about once a step, and not for each row.

Whatever was late by then is taken together: a place is told of by every source partition at every flush, and each time
all that its alerts rest on would be judged anew. What is asked, and when, is a matter of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.alerts.record import Subject
from streams.state.policy import NEVER_MS

#: A subject, and the start of a pane of its that got more.
Late = tuple[Subject, int]


class LateImpressions:
    """By subject and pane, until the watermark reaches the next step."""

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._noted: dict[Late, None] = {}
        self.next_ms = NEVER_MS

    def note(self, subject: Subject, pane_start: int, watermark_ms: int) -> None:
        """Impressions came to a pane that is over."""
        self._noted[subject, pane_start] = None
        self.next_ms = min(self.next_ms, (watermark_ms // self._step_ms + 1) * self._step_ms)

    def take(self) -> list[Late]:
        """All of them, in the order in which they came."""
        taken, self._noted, self.next_ms = list(self._noted), {}, NEVER_MS
        return taken

    def state(self) -> list[Late]:
        """All of them; they stay."""
        return list(self._noted)

    def restore(self, state: Iterable[Late], watermark_ms: int) -> None:
        """Have these wait again."""
        for subject, pane_start in state:
            self.note(subject, pane_start, watermark_ms)
