"""What a rule about a place, a campaign or a device that goes on and on sees: its sums as of one pane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Literal, NamedTuple, Protocol

from streams.rules.airing import Jump, jump, minute
from streams.rules.click_view import NO_LIMIT_MS
from streams.rules.judgement import Judgement
from streams.state.campaign_totals import CampaignTotals, added
from streams.state.checkpoint import BEGINNING_MS
from streams.state.device_habits import HourOfHabits
from streams.state.place_panes import RollUpPane, SubjectSums


class PlaceFinding(NamedTuple):
    """A judgement, where its window begins, ms, and the sums of its panes; `end_ms`: where it ends, if before now."""

    judgement: Judgement
    begin_ms: int
    window: Sequence[SubjectSums]
    end_ms: int | None = None


class Lacking(NamedTuple):
    """Nothing was found as of a pane, nor will be before so many more `clicks` of the subject, or its clicking devices
    did something else: more impressions only make its rate less. `past_ms`: as long as nothing more is told of panes
    before then, whose impressions make what is usual less.
    """

    clicks: float
    behaviours: float = inf
    past_ms: int = BEGINNING_MS


#: What more clicks do not change.
ONLY_BEHAVIOURS = Lacking(inf, 1)


@dataclass(slots=True)
class PlaceView:
    """One subject as of the pane that ends at `end_ms`; `series` are its sums by the start of their pane.

    `window_ms`: the length of a CTR window. `grace_ms`: how long an event may be on its way. `most_ms`: how far back a
    rule may look. `panes` tell of all campaigns of the `account`; `campaign`: the subject, if it is one. `hours`: a
    device's sums by how long, once they were asked for; `shown`: its impressions by pane, and `jumped`: whether they
    jumped, both by since when.
    """

    end_ms: int
    pane_ms: int
    series: Mapping[int, SubjectSums]
    window_ms: int = 60_000
    grace_ms: int = 0
    most_ms: int = NO_LIMIT_MS
    panes: Mapping[int, RollUpPane] = field(default_factory=dict)
    account: str = ""
    campaign: str = ""
    hours: dict[int, HourOfHabits] = field(default_factory=dict)
    shown: dict[int, Sequence[int | None]] = field(default_factory=dict)
    jumped: dict[int, Jump | None] = field(default_factory=dict)
    exact_ms: int = BEGINNING_MS

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

    def shown_since(self, begin_ms: int) -> Sequence[int | None]:
        """Its impressions in each pane from there on, oldest first; None before the first pane with anything at all."""
        found = self.shown.get(begin_ms)
        if found is None:  # asked by several rules, and again for an alert's words
            first, get = self._first(begin_ms), self.series.get
            starts = range(first, self.end_ms, self.pane_ms)
            counts = [0 if (sums := get(start)) is None else sums.impressions for start in starts]
            found = self.shown[begin_ms] = [*[None] * ((first - begin_ms) // self.pane_ms), *counts]
        return found

    def jumped_since(self, begin_ms: int) -> Jump | None:
        """Whether its impressions jumped in the last third of the time from there on; see airing."""
        if begin_ms not in self.jumped:  # asked by several rules, and again for an alert's words
            shown = self.shown_since(begin_ms)
            self.jumped[begin_ms] = jump(shown, len(shown) // 3, minute(self.pane_ms))
        return self.jumped[begin_ms]

    def signed_in_since(self, begin_ms: int) -> list[int | None]:
        """Likewise devices that signed in: at the place, or of a campaign's account anywhere, where that was told."""
        starts = range(begin_ms, self.end_ms, self.pane_ms)
        if self.campaign:
            account, panes = self.account, [self.panes.get(start) for start in starts]
            return [None if pane is None or account not in pane.totals else pane.signed_in(account) for pane in panes]
        first, get = self._first(begin_ms), self.series.get
        counts = [
            0 if (sums := get(start)) is None else sums.signed_in for start in range(first, starts.stop, self.pane_ms)
        ]
        return [*[None] * ((first - begin_ms) // self.pane_ms), *counts]

    def _first(self, begin_ms: int) -> int:
        """The first pane with anything at all; where there is none, what would follow the last one."""
        starts, panes = range(begin_ms, self.end_ms, self.pane_ms), self.panes
        after_all = begin_ms + len(starts) * self.pane_ms
        if len(panes) < len(starts):
            return min([start for start in panes if start in starts], default=after_all)
        return next((start for start in starts if start in panes), after_all)

    def of_account(self, begin_ms: int, end_ms: int) -> CampaignTotals:
        """All that is told of the account in these panes: of campaigns while they get clicks."""
        panes = (self.panes.get(start) for start in range(begin_ms, end_ms, self.pane_ms))
        return added(one for pane in panes if pane and (one := pane.accounts.get(self.account)) is not None)

    def of_everybody(self, begin_ms: int, end_ms: int) -> CampaignTotals:
        """Likewise of all accounts."""
        panes = (self.panes.get(start) for start in range(begin_ms, end_ms, self.pane_ms))
        return added(pane.everybody for pane in panes if pane)

    def usual_repeats(self, begin_ms: int, end_ms: int) -> float:
        """Clicks per clicking device and pane of all the account in these panes, two at most, with their standard
        deviation; 1 where that is not told.
        """
        panes = (self.panes.get(start) for start in range(begin_ms, end_ms, self.pane_ms))
        told = [one for pane in panes if pane is not None and (one := pane.accounts.get(self.account)) is not None]
        devices = sum([one.devices for one in told])
        if not devices:
            return 1.0
        again = min(1.0, sum([min(one.clicks - one.devices, one.devices) for one in told]) / devices)
        return 1.0 + again + sqrt(max(0.0, again * (1 - again)) / devices)

    def impressions(self, begin_ms: int, end_ms: int) -> list[int]:
        """Its impressions in each pane that starts in [begin, end), oldest first."""
        found = [self.series.get(start) for start in range(begin_ms, end_ms, self.pane_ms)]
        return [sums.impressions if sums is not None else 0 for sums in found]


class PlaceRule(Protocol):
    """A rule about a place, a campaign or a device: a module of this package. Its settings: the field of its name."""

    NAME: str
    TRAFFIC_CLASS: Literal["GIVT", "SIVT"]
    #: Whose clicks it judges.
    SUBJECT: Literal["place", "campaign", "device", "either"]
    #: Whether impressions that come late may explain a finding.
    CORRECTABLE: bool
    #: How far before the end of its window it reads, ms, by its settings and the grid. A rule that judges stretches
    #: of several lengths has a `least_lookback_ms` too, and looks at `PlaceView.exact_ms` itself.
    lookback_ms: Callable[..., int]
    #: Judges a subject after a roll-up that adds clicks; all it reads is live and complete. None: ask again each time.
    evaluate: Callable[..., PlaceFinding | Lacking | None]
