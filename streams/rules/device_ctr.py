"""device_ctr: one device clicks nearly everything that it is shown, and goes on and on.

A script that shows each banner before it clicks it, and takes its time, exceeds no count of a minute, and leaves no
click without an impression; but nobody clicks everything: 8 % of users make 85 % of clicks (comScore, "Natural Born
Clickers", 2009), and even these click a part of what they see. Statistic: taps, over seven minutes (or `windows`), at
least `floor`; Wilson's (1927) lower bound of their share of the device's impressions is at least `min_ctr`. A click
within a second of one on the same campaign is no tap of its own: some SDKs report each tap twice. Where fewer
impressions than `min_shown` of the taps are known, nothing is judged: they are late or lost, or
click_without_impression judges. It is asked when a click's impression has had the time that the sender may take, of a
device with a few clicks in `window_s`; impressions that come later still take a finding back.
MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import msgspec

from sori.settings.rules import DeviceCtr
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict, clicks_between
from streams.rules.judgement import Judgement, exceeded
from streams.rules.statistics import wilson_lower
from streams.state.counters import DeviceClicks

NAME = "device_ctr"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
COUNTS_ALL = True
WAITS = True
#: Nobody taps two things sooner.
_ONE_TAP_MS = 1000


def lookback_ms(rule: DeviceCtr, grid: Grid) -> int:
    """How far before the watermark at which it judges the rule reads."""
    return grid.span_ms(rule.windows) + grid.grace_ms


def reads_from_ms(end_ms: int, rule: DeviceCtr, grid: Grid) -> int:
    """Start of the first window it reads."""
    return end_ms - 1 - (end_ms - 1) % grid.window_ms + grid.window_ms - grid.span_ms(rule.windows)


def least_shown(rule: DeviceCtr) -> float:
    """Impressions in what it reads below which it finds nothing, whatever of the clicks are taps.

    What a bot that is shown nothing would have counted at each click.
    """
    return rule.min_shown * rule.floor


def evaluate(view: ClickView, rule: DeviceCtr) -> Verdict:
    """Judge a device as of a click that has waited."""
    store, (account, device) = view.store, view.key
    grid = Grid(store.pane_ms, store.window_ms)
    begin = reads_from_ms(view.end_ms, rule, grid)
    windows = [store.windows.get(start) for start in range(begin, view.end_ms, store.window_ms)]
    held = [scope for window in windows if window is not None and (scope := window.accounts.get(account)) is not None]
    clicks = sum(scope.clicks_of(device) for scope in held)
    if clicks < rule.floor:
        return rule.floor - clicks
    impressions = sum(scope.impressions_of(device) for scope in held)
    if impressions < least_shown(rule):
        return 1
    cells = clicks_between(store, view.key, begin, begin + grid.span_ms(rule.windows))
    made = taps([cell for _, cell in cells])
    found = judge(made, impressions, rule)
    if found is None:
        return 1
    view.cells = cells  # what the evidence is counted from
    return Exceeded(found, begin, view.kept(begin)[-10:], Grounds(rule, made, impressions, begin, view.time_ms))


_time = attrgetter("time_ms")


def taps(cells: Sequence[DeviceClicks]) -> int:
    """Clicks, those left out that follow another one on their campaign at once; of those that are only counted, all."""
    found, last = 0, dict[str, int]()
    for cell in cells:
        kept = cell.kept
        found += cell.clicks - len(kept)
        for click in kept if len(kept) == 1 else sorted(kept, key=_time):
            found += click.time_ms - last.get(click.campaign, -_ONE_TAP_MS) >= _ONE_TAP_MS
            last[click.campaign] = click.time_ms
    return found


@dataclass(slots=True)
class Grounds:
    """What a finding rests on: taps, and impressions; late are those of before the click that come after it waited."""

    rule: DeviceCtr
    taps: int
    impressions: int
    begin_ms: int
    time_ms: int

    @classmethod
    def of(cls, state: object, rule: DeviceCtr) -> Grounds:
        """From its `state`. Raises msgspec.ValidationError."""
        return cls(rule, *msgspec.convert(state, tuple[int, int, int, int]))

    @property
    def state(self) -> object:
        """As plain data."""
        return self.taps, self.impressions, self.begin_ms, self.time_ms

    @property
    def missing(self) -> tuple[str, ...]:
        """No impression of its own is missing: each of the device counts."""
        return ()

    def explain(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:  # noqa: ARG002 - as of every rule
        """Take an impression of the device, or of a click that it did not make; whether it changed anything."""
        if campaign is None or not self.begin_ms <= shown_ms <= self.time_ms:
            return False
        self.impressions += 1
        return True

    def hold(self) -> bool:
        """Whether it still exceeds the rule."""
        return judge(self.taps, self.impressions, self.rule) is not None


def judge(made: int, impressions: int, rule: DeviceCtr) -> Judgement | None:
    """Judge a device's taps beside what it was shown."""
    if made < rule.floor or impressions < rule.min_shown * made:
        return None
    lower = wilson_lower(made, max(made, impressions))
    if lower < rule.min_ctr:
        return None
    return exceeded(made, 0.0, rule.floor, impressions=impressions, ctr_lower=round(lower, 4))
