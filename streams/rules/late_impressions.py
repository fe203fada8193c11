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
    """By the next step of event time after it was told of them; when one is asked about hangs on no other."""

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._noted: dict[int, dict[Late, None]] = {}
        self.next_ms = NEVER_MS

    def note(self, subject: Subject, pane_start: int, watermark_ms: int) -> None:
        """Impressions came to a pane that is over."""
        due_ms = (watermark_ms // self._step_ms + 1) * self._step_ms
        self._noted.setdefault(due_ms, {})[subject, pane_start] = None
        self.next_ms = min(self.next_ms, due_ms)

    def take(self, watermark_ms: int) -> list[Late]:
        """All whose step has come, in the order in which they came."""
        due = [due_ms for due_ms in sorted(self._noted) if due_ms <= watermark_ms]
        taken = list(dict.fromkeys(late for due_ms in due for late in self._noted.pop(due_ms)))
        self.next_ms = min(self._noted, default=NEVER_MS)
        return taken

    def state(self) -> list[Late]:
        """All of them; they stay. They wait for the same step: whose step has come was taken."""
        return [late for noted in self._noted.values() for late in noted]

    def restore(self, state: Iterable[Late], watermark_ms: int) -> None:
        """Have these wait again, as of the watermark with which they were kept."""
        for subject, pane_start in state:
            self.note(subject, pane_start, watermark_ms)
