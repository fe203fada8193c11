"""click_without_impression: one device clicks what it was never shown.

Statistic: orphans in a sliding window. A click is explained by an impression with its activity_id; what is left of a
campaign's clicks is explained by impressions of that campaign on that device, each explaining one click, back to
`horizon_s` before the window. A click is judged once its impression has had the time that the sender may take to
deliver it (`grace_s`, else sori/sender_schedule.py); an impression that comes later still takes it back. At least
`floor` orphans and `min_share` of the device's clicks; echoes, which some SDKs report of each tap, are none. While
impressions of the account are lost, it must be more than that gives: where of those who click its other campaigns (an
attack is on a few, loss on all) many lack their impression, by Wilson's lower bound, so many orphans are `max_p` likely
at most by the upper one (a binomial tail). Loss leaves some, of whatever campaign: who was shown less than a fifth of
what it clicked is not excused by it, or many bots would excuse each other. A click needs an ad in view (MRC click
measurement guidelines); flooding clicks without serving anything is click spamming. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

import msgspec

from sori.settings.rules import ClickWithoutImpression
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict
from streams.rules.duplicate_click import ECHO_MS
from streams.rules.judgement import Judgement, exceeded
from streams.rules.statistics import binomial_tail, wilson
from streams.state.counters import Click
from streams.state.device_panes import AccountPane
from streams.state.matches import Match

NAME = "click_without_impression"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
COUNTS_ALL = False
WAITS = True
_Counts = dict[str, int]
#: Of clicks after the first third of a CTR window, some twentieth has its impression in the window before.
_LOST = 0.25
#: Hardly anybody loses more: where all others lack theirs, they may be of one hand.
_MOST_LOST = 0.8
#: What has such a part of a device's orphans, one in so many, is what it is for.
_OWN = 4


def grace_ms(rule: ClickWithoutImpression, grid: Grid) -> int:
    """How long a click waits for its impression."""
    return grid.grace_ms if rule.grace_s is None else int(rule.grace_s * 1000)


def lookback_ms(rule: ClickWithoutImpression, grid: Grid) -> int:
    """How far before the watermark at which it judges the rule reads, CTR windows being read whole."""
    return (rule.window_s + rule.horizon_s) * 1000 + grid.window_ms + grace_ms(rule, grid)


def reads_from_ms(end_ms: int, rule: ClickWithoutImpression, grid: Grid) -> int:
    """Start of the first window it reads."""
    horizon = end_ms - (rule.window_s + rule.horizon_s) * 1000
    return horizon - horizon % grid.window_ms


def evaluate(view: ClickView, rule: ClickWithoutImpression) -> Verdict:
    """Judge a device as of a click that has waited."""
    begin = view.end_ms - rule.window_s * 1000
    horizon = reads_from_ms(view.end_ms, rule, Grid(view.store.pane_ms, view.store.window_ms))
    kept = [click for click in view.kept(begin) if click.time_ms <= view.time_ms]
    if len(kept) < rule.floor:
        return max(1, rule.floor - len(kept))
    matched: _Counts = {}
    unmatched: _Counts = {}
    alone: list[Click] = []
    for click, match in taps(view.matched(begin)):
        if click.time_ms > view.time_ms:
            continue
        campaign, explained_ms = click.campaign, match.explained_ms
        if explained_ms is None or explained_ms < horizon:
            unmatched[campaign] = unmatched.get(campaign, 0) + 1
            alone.append(click)
        else:
            matched[campaign] = matched.get(campaign, 0) + 1
    if len(alone) < rule.floor:
        return max(1, rule.floor - len(alone))
    shown_in = view.shown_in(horizon)
    shown = view.impressions(unmatched, shown_in)
    found = judge(matched, unmatched, shown, rule)
    if found is None:
        return 1
    left = sum([times for _, times in shown_in]) >= (1 - _MOST_LOST) * found.details["clicks"]
    if left and by_loss(view, begin, unmatched, found, rule):
        return 1
    grounds = Grounds(
        rule, Counter(matched), Counter(unmatched), shown, alone, horizon, view.time_ms, view.reach.explained_after
    )
    return Exceeded(found, begin, alone, grounds)


def taps(found: Iterable[tuple[Click, Match]]) -> Iterator[tuple[Click, Match]]:
    """Without echoes: an SDK that reports each tap twice may give the second click an id of its own."""
    latest: dict[str, int | None] = {}
    for click, match in sorted(found, key=_time):
        before = latest.get(click.campaign)
        echo = before is not None and click.time_ms - before < ECHO_MS
        latest[click.campaign] = None if echo else click.time_ms
        if not echo:
            yield click, match


def _time(one: tuple[Click, Match]) -> int:
    return one[0].time_ms


def by_loss(
    view: ClickView, begin_ms: int, unmatched: Mapping[str, int], found: Judgement, rule: ClickWithoutImpression
) -> bool:
    """Whether the account loses so many impressions that those of these clicks may be among them."""
    (account, device), total = view.key, sum(unmatched.values())
    mine = {campaign for campaign, clicks in unmatched.items() if _OWN * clicks >= total}
    devices = shown = 0
    for start in range(begin_ms, view.end_ms, view.store.pane_ms):
        pane = view.store.panes.get(start)
        held = None if pane is None or 3 * (start % view.store.window_ms) < view.store.window_ms else pane.accounts
        scope = None if held is None else held.get(account)
        if scope is not None and scope.clicking_devices:
            clicked, known = others(scope, device, mine)
            devices, shown = devices + clicked, shown + known
    lower, upper = wilson(devices - shown, devices)
    if lower < _LOST:
        return False
    return binomial_tail(int(found.observed), int(found.details["clicks"]), min(upper, _MOST_LOST)) > rule.max_p


def others(scope: AccountPane, device: str, mine: AbstractSet[str]) -> tuple[int, int]:
    """Of all campaigns but `mine`: devices that clicked one but for this device, which lacks impressions, each once a
    campaign; and how many of them had an impression of theirs.
    """
    own, cells = scope.clicks.get(device), [cell for name in mine if (cell := scope.campaigns.get(name)) is not None]
    clicked = scope.clicking_devices - sum([cell.clicking_devices for cell in cells])
    clicked -= 0 if own is None else len(own.by_campaign().keys() - mine)
    return clicked, min(clicked, scope.shown_devices - sum([cell.shown_devices for cell in cells]))


_State = tuple[_Counts, _Counts, _Counts, list[tuple[int, str, str, str, int]], int, int, int]


@dataclass(slots=True)
class Grounds:
    """What a finding rests on: an impression that comes later takes a part of it away."""

    rule: ClickWithoutImpression
    matched: Counter[str]
    unmatched: Counter[str]
    shown: dict[str, int]
    alone: list[Click]
    horizon_ms: int
    time_ms: int
    after_ms: int

    @classmethod
    def of(cls, state: object, rule: ClickWithoutImpression) -> Grounds:
        """From its `state`. Raises msgspec.ValidationError."""
        matched, unmatched, shown, alone, *times = msgspec.convert(state, _State)
        return cls(rule, Counter(matched), Counter(unmatched), shown, [Click(*click) for click in alone], *times)

    @property
    def state(self) -> object:
        """As plain data."""
        alone = [msgspec.structs.astuple(click) for click in self.alone]
        return self.matched, self.unmatched, self.shown, alone, self.horizon_ms, self.time_ms, self.after_ms

    @property
    def missing(self) -> list[str]:
        """Identities of impressions that it misses."""
        return [click.identity for click in self.alone]

    def explain(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:
        """Take an impression that was missing; whether it changed anything."""
        if shown_ms < self.horizon_ms:
            return False
        for click in self.alone if identity is not None else ():
            if click.identity == identity and shown_ms <= click.time_ms + self.after_ms:
                self.alone = [other for other in self.alone if other is not click]
                self.unmatched[click.campaign] -= 1
                self.matched[click.campaign] += 1
                self.shown[click.campaign] += 1
                return True
        if campaign is None or campaign not in self.unmatched or shown_ms > self.time_ms:
            return False
        self.shown[campaign] += 1
        return True

    def hold(self) -> bool:
        """Whether it still exceeds the rule."""
        return judge(self.matched, self.unmatched, self.shown, self.rule) is not None


def orphans(matched: Mapping[str, int], unmatched: Mapping[str, int], shown: Mapping[str, int]) -> int:
    """Clicks left unexplained, from counts by campaign: clicks with their impression, without it, impressions."""
    if not any(shown.values()):  # as of bots that are shown nothing
        return sum(unmatched.values())
    return sum(
        max(0, clicks - max(0, shown.get(campaign, 0) - matched.get(campaign, 0)))
        for campaign, clicks in unmatched.items()
    )


def judge(
    matched: Mapping[str, int], unmatched: Mapping[str, int], shown: Mapping[str, int], rule: ClickWithoutImpression
) -> Judgement | None:
    """Judge a device's clicks in the window; see `orphans`."""
    clicks = sum(matched.values()) + sum(unmatched.values())
    found = orphans(matched, unmatched, shown)
    if found < rule.floor or found < rule.min_share * clicks:
        return None
    return exceeded(found, 0.0, rule.floor, clicks=clicks)
