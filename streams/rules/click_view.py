"""What a rule about a device's clicks sees: the device as of one click, and how long "not exceeded" holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from sori.settings.rules import Rule
from streams.alerts.corrections import Grounds
from streams.rules.context import TrafficClass
from streams.rules.judgement import Judgement
from streams.state.counters import Click, DeviceClicks
from streams.state.device_panes import AccountWindow, DeviceKey, PaneClicks, PaneStore
from streams.state.matches import ALL, ANSWERING, REPEATING, Match, Matches, Reach

#: What rules about a device that goes on and on look at: as far back as hop 1 can look, and stay exact.
_WINDOWS, _SPAN_MS = 7, 420_000
#: No hop looks back as far.
NO_LIMIT_MS = 2**62


class Grid(NamedTuple):
    """Lengths of panes and windows, and how late what happened before may come; milliseconds.

    `most_ms`: how far back a rule may look, so that its hop can be replayed exactly.
    """

    pane_ms: int
    window_ms: int
    grace_ms: int = 0
    most_ms: int = NO_LIMIT_MS

    def span_ms(self, windows: int | None) -> int:
        """How long so many CTR windows are; None: seven, or as many as seven minutes hold, but at least one.

        So windows of another length ask for no more lateness.
        """
        return (windows or max(1, min(_WINDOWS, _SPAN_MS // self.window_ms))) * self.window_ms


class Exceeded(NamedTuple):
    """A judgement, where its window begins, and the clicks it rests on; `grounds`: what late impressions may take."""

    judgement: Judgement
    begin_ms: int
    clicks: Sequence[Click]
    grounds: Grounds | None = None


class Lasting(int):
    """The fewest further clicks of the device with which it could exceed the rule, in this pane or in a later one."""

    __slots__ = ()
    SORT = ALL


class Repeats(Lasting):
    """The same, of clicks so soon after another of the device that they may repeat it."""

    __slots__ = ()
    SORT = REPEATING


class Answers(Lasting):
    """The same, of clicks with an impression near."""

    __slots__ = ()
    SORT = ANSWERING


#: Or: the fewest further clicks of the device, in the same pane, with which it could exceed the rule; at least 1.
Verdict = Exceeded | int


@dataclass(slots=True)
class ClickView:
    """One device as of one click; `cells` are its clicks per pane, oldest first, of the widest window of all rules.

    `waited_ms`: clicks up to then have waited for their impression as long as the sender may take.
    """

    key: DeviceKey
    time_ms: int
    end_ms: int
    cells: Sequence[tuple[int, DeviceClicks]]
    store: PaneStore
    matches: Matches
    reach: Reach
    waited_ms: int

    def since(self, begin_ms: int) -> list[DeviceClicks]:
        """Its clicks in panes from `begin_ms` on."""
        return [cell for start, cell in self.cells if start >= begin_ms]

    def kept(self, begin_ms: int) -> list[Click]:
        """Its single clicks in panes from `begin_ms` on; of each pane the first few."""
        return [click for start, cell in self.cells if start >= begin_ms for click in cell.kept]

    def clicks_between(self, begin_ms: int, end_ms: int) -> int:
        """How often it clicked in panes that start in [begin, end)."""
        return sum(cell.clicks for _, cell in clicks_between(self.store, self.key, begin_ms, end_ms))

    def matched(self, begin_ms: int) -> list[tuple[Click, Match]]:
        """The `kept` clicks with the impressions that they belong to."""
        of, key, reach = self.matches.of, self.key, self.reach
        found: list[tuple[Click, Match]] = []
        for start, cell in self.cells:
            if start >= begin_ms:
                found += zip(cell.kept, of(key, start, cell, reach), strict=True)
        return found

    def keeps(self, begin_ms: int) -> int:
        """How many the `kept` clicks are."""
        return sum([len(cell.kept) for start, cell in self.cells if start >= begin_ms])

    def near(self, begin_ms: int) -> tuple[int, int]:
        """How many of the `kept` clicks have an impression near, and how many were shown their campaign near, a click
        of both being counted in both: by pane, a fraction of what looking at each costs.
        """
        of, key, reach = self.matches.of, self.key, self.reach
        found = [of(key, start, cell, reach) for start, cell in self.cells if start >= begin_ms]
        return sum([one.near for one in found]), sum([one.shown for one in found])

    def shown_in(self, begin_ms: int) -> list[tuple[AccountWindow, int]]:
        """The windows from `begin_ms` up to the click's in which it was shown something, and how often."""
        (account, device), windows, found = self.key, self.store.windows, []
        for start in range(begin_ms, self.time_ms + 1, self.store.window_ms):
            window = windows.get(start)
            held = None if window is None else window.accounts.get(account)
            if held is not None and (shown := held.impressions_of(device)):
                found.append((held, shown))
        return found

    def impressions(self, campaigns: Iterable[str], shown_in: Iterable[tuple[AccountWindow, int]]) -> dict[str, int]:
        """How often it was shown each of these in such windows."""
        cells = [cell for held, _ in shown_in if (cell := held.find(self.key[1])) is not None]
        if not cells:
            return dict.fromkeys(campaigns, 0)
        return {campaign: sum([cell.impressions_of(campaign) for cell in cells]) for campaign in campaigns}


def clicks_between(store: PaneStore, key: DeviceKey, begin_ms: int, end_ms: int) -> Sequence[PaneClicks]:
    """A device's clicks in panes that start in [begin, end), oldest first."""
    return store.clicks_between(key, begin_ms, end_ms)


class ClickRule(Protocol):
    """A rule about a device's clicks: a module of this package. Its settings are the field of its name."""

    NAME: str
    TRAFFIC_CLASS: Literal["GIVT", "SIVT"]
    #: Whether it counts clicks beyond those that are kept one by one.
    COUNTS_ALL: bool
    #: Whether a click is judged only after it has waited for its impression.
    WAITS: bool

    @staticmethod
    def lookback_ms(rule: Rule, grid: Grid) -> int:
        """How far before the end of its window the rule reads at most."""
        ...

    @staticmethod
    def reads_from_ms(end_ms: int, rule: Rule, grid: Grid) -> int:
        """Start of the first pane it reads, its window ending at `end_ms`."""
        ...

    @staticmethod
    def evaluate(view: ClickView, rule: Rule) -> Verdict:
        """Judge a device after a click; all it reads is live and complete."""
        ...


class Entry(NamedTuple):
    """A rule as it is in force for an account; `least`, `shown`: fewer clicks, or impressions, never exceed it."""

    number: int
    name: str
    traffic_class: TrafficClass
    rule: Rule
    module: ClickRule
    counts: bool
    least: int
    shown: float
