"""What a subject lacks, as of a pane, before a rule about places finds something: until then it is not asked again.

Hop 2 gets a row of each place from each source at each flush, and nearly all of them change no answer. A cache and
nothing else: asked again, the rule would find nothing either.
"""

from __future__ import annotations

from streams.rules.place_view import Lacking
from streams.state.checkpoint import BEGINNING_MS
from streams.state.device_panes import SubjectKey
from streams.state.place_panes import SubjectSeries

#: Of so many panes it is remembered, the newest ones.
_PANES = 4


class Lacks:
    """Of one set of rules, by the end of the pane."""

    def __init__(self) -> None:
        self._by_end: dict[int, dict[SubjectKey, dict[str, Lacking]]] = {}
        #: No answer depends on what is told of panes from then on.
        self._past_ms = BEGINNING_MS

    def note(self, rule: str, series: SubjectSeries, end_ms: int, lacking: Lacking) -> None:
        """A rule found nothing as of the pane that ends then."""
        held = self._by_end.get(end_ms)
        if held is None:
            if len(self._by_end) >= _PANES and end_ms < min(self._by_end):
                return
            held = self._by_end[end_ms] = {}
            if len(self._by_end) > _PANES:
                del self._by_end[min(self._by_end)]
        due = Lacking(series.clicks + lacking.clicks, series.behaved + lacking.behaviours, lacking.past_ms)
        held.setdefault(series.key, {})[rule] = due
        self._past_ms = max(self._past_ms, due.past_ms)

    def told(self, key: SubjectKey, pane_start: int) -> None:
        """More was told of a subject in a pane that is over."""
        if pane_start >= self._past_ms:
            return  # as of nearly all rows
        for held in self._by_end.values():
            found = held.get(key)
            if found and any(pane_start < due.past_ms for due in found.values()):
                held[key] = {rule: due for rule, due in found.items() if pane_start >= due.past_ms}

    def of(self, series: SubjectSeries, end_ms: int) -> frozenset[str]:
        """Rules that need not be asked about a subject as of the pane that ends then."""
        found = self._by_end.get(end_ms, _NOBODY).get(series.key)
        if not found:
            return _NONE
        clicks, behaved = series.clicks, series.behaved
        return frozenset([rule for rule, due in found.items() if clicks < due[0] and behaved < due[1]])


_NOBODY: dict[SubjectKey, dict[str, Lacking]] = {}
_NONE: frozenset[str] = frozenset()
