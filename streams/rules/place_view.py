"""What a rule about a place, a campaign or a device that goes on and on sees: its sums as of one pane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from streams.rules.click_view import NO_LIMIT_MS
from streams.rules.judgement import Judgement
from streams.state.place_panes import SubjectSums


class PlaceFinding(NamedTuple):
    """A judgement, where its window begins, ms, and the sums of its panes."""

    judgement: Judgement
    begin_ms: int
    window: Sequence[SubjectSums]


@dataclass(slots=True)
class PlaceView:
    """One subject as of the pane that ends at `end_ms`; `series` are its sums by the start of their pane.

    `window_ms`: the length of a CTR window. `grace_ms`: how long an event may be on its way. `most_ms`: how far back a
    rule may look.
    """

    end_ms: int
    pane_ms: int
    series: Mapping[int, SubjectSums]
    window_ms: int = 60_000
    grace_ms: int = 0
    most_ms: int = NO_LIMIT_MS

    @property
    def arrived_ms(self) -> int:
        """The end of the panes for whose events what follows them within seconds has come, too."""
        return self.end_ms - -(-self.grace_ms // self.pane_ms) * self.pane_ms

    def between(self, begin_ms: int, end_ms: int) -> list[SubjectSums]:
        """Its sums in panes that start in [begin, end)."""
        series = self.series
        if len(series) * self.pane_ms < end_ms - begin_ms:  # of few panes, each is looked at and not each that may be
            return [series[start] for start in sorted(series) if begin_ms <= start < end_ms]
        return [sums for start in range(begin_ms, end_ms, self.pane_ms) if (sums := series.get(start)) is not None]

    def known(self, begin_ms: int, end_ms: int) -> list[SubjectSums]:
        """Those of its sums whose pane starts when a third of its CTR window is over."""
        series, window_ms = self.series, self.window_ms
        late = [start for start in range(begin_ms, end_ms, self.pane_ms) if 3 * (start % window_ms) >= window_ms]
        return [sums for start in late if (sums := series.get(start)) is not None]

    def impressions(self, begin_ms: int, end_ms: int) -> list[int]:
        """Its impressions in each pane that starts in [begin, end), oldest first."""
        found = [self.series.get(start) for start in range(begin_ms, end_ms, self.pane_ms)]
        return [sums.impressions if sums is not None else 0 for sums in found]


class PlaceRule(Protocol):
    """A rule about a place, a campaign or a device: a module of this package. Its settings: the field of its name."""

    NAME: str
    TRAFFIC_CLASS: Literal["GIVT", "SIVT"]
    #: Whose clicks it judges.
    SUBJECT: Literal["place", "campaign", "device"]
    #: Whether impressions that come late may explain a finding.
    CORRECTABLE: bool
    #: How far before the end of its window it reads, ms, by its settings and the grid.
    lookback_ms: Callable[..., int]
    #: Judges a subject after a roll-up that adds clicks; all it reads is live and complete.
    evaluate: Callable[..., PlaceFinding | None]
