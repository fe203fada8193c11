"""fast_click: one device clicks sooner after its impressions than a person can.

Statistic: of the clicks in a sliding window whose impression lies near (same activity_id; where there is none, the
latest of the same campaign on the device, for one click), how many came within `too_soon_ms` of it: at least `floor`,
and at least `min_share` of them. A time from click to install of a few seconds is how AppsFlyer tells click hijacking;
from banner to tap, nobody reads and reacts within a second. Some senders write whole seconds: an impression up to one
second *after* its click counts as near too. A click whose impression is not known counts as an ordinary one for as long
as the sender may take to deliver it. They must lie in `floor` different seconds: what was done offline is stamped
together when it is sent. Of an id that many people share one's click follows another's impression: there the two must
have one activity id. `quick_part` of the floor is enough where no click came later than half of `too_soon_ms`, nor at
the very moment: to make a choice takes 0.4 s before a finger moves, and of taps by accident, a few in a hundred, not
all are that early. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from sori.settings.rules import FastClick
from streams.rules.click_view import Answers, ClickView, Exceeded, Grid, Lasting, Verdict
from streams.rules.judgement import Judgement, exceeded
from streams.rules.shared_ids import READS_WINDOWS, clicks_of_many
from streams.state.cold_ids import SEEN_UNIT_MS
from streams.state.counters import Click

NAME = "fast_click"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
COUNTS_ALL = False
WAITS = False

#: What rounding down to a whole second may take off a click's time.
ROUNDING_MS = 1000
#: As exactly as it is known when an impression was, that is known to come before its click.
_MOMENT_MS = SEEN_UNIT_MS
#: An impression this many times `too_soon_ms` before its click is near: the click is one to compare with.
_NEAR = 10


def reach_ms(rule: FastClick) -> int:
    """How far before a click its impression is looked for."""
    return rule.too_soon_ms * _NEAR


def lookback_ms(rule: FastClick, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max(_panes_ms(rule, grid), READS_WINDOWS * grid.window_ms)


def reads_from_ms(end_ms: int, rule: FastClick, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - _panes_ms(rule, grid)


def _panes_ms(rule: FastClick, grid: Grid) -> int:
    """How far before the end of its window it reads clicks and impressions, panes being read whole."""
    return rule.window_s * 1000 + reach_ms(rule) + grid.pane_ms


def evaluate(view: ClickView, rule: FastClick) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    kept, least = view.keeps(begin), rule.quick_floor
    if kept < least:
        return Lasting(least - kept)
    near, shown = view.near(begin)
    if near + shown < least:
        # a click near its impression adds one at most; an impression that comes later has it judged anew
        return Answers(least - near - shown)
    if kept < rule.floor and not _at_once(view.kept(begin), rule):
        return 1  # as nearly always, and the rest costs more
    delays: dict[str, int] = {}
    unknown: dict[str, int] = {}
    fast: list[Click] = []
    taken: set[int] = set()
    waiting, of_many = 0, clicks_of_many(view)
    for click, match in view.matched(begin):
        near_ms = match.near_ms
        if near_ms is None and not of_many and click.time_ms - reach_ms(rule) <= click.shown_ms not in taken:
            near_ms = click.shown_ms  # its impression has an id of its own
            taken.add(near_ms)
        if near_ms is None:
            unknown[click.identity] = click.time_ms
            waiting += click.time_ms > view.waited_ms
            continue
        delays[click.identity] = delay = click.time_ms - near_ms
        if delay < rule.too_soon_ms:
            fast.append(click)
    # what a device did offline is stamped together, clicks with their impressions: one second tells of one click
    seconds = len({click.time_ms // 1000 for click in fast})
    if seconds < least:
        return least - seconds
    found = judge(delays.values(), rule, waiting, seconds)
    return 1 if found is None else Exceeded(found, begin, fast, Grounds(rule, delays, unknown))


def _at_once(clicks: Iterable[Click], rule: FastClick) -> bool:
    """Whether each came at once after its campaign was shown to the device, which had been told by then."""
    return all(click.time_ms - click.shown_ms < rule.too_soon_ms / 2 for click in clicks)


@dataclass(slots=True)
class Grounds:
    """What a finding rests on: the delays of clicks, and the times of those whose impression is not known."""

    rule: FastClick
    delays: dict[str, int]
    unknown: dict[str, int]

    @classmethod
    def of(cls, state: object, rule: FastClick) -> Grounds:
        """From its `state`. Raises msgspec.ValidationError."""
        return cls(rule, *msgspec.convert(state, tuple[dict[str, int], dict[str, int]]))

    @property
    def state(self) -> object:
        """As plain data."""
        return self.delays, self.unknown

    @property
    def missing(self) -> list[str]:
        """Identities of impressions that it misses."""
        return list(self.unknown)

    def explain(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:  # noqa: ARG002 - as of every rule
        """Take an impression that was missing; whether it changed anything."""
        if identity is None or (time_ms := self.unknown.get(identity)) is None:
            return False
        if not -ROUNDING_MS <= time_ms - shown_ms <= reach_ms(self.rule):
            return False
        self.delays[identity] = time_ms - shown_ms
        del self.unknown[identity]
        return True

    def hold(self) -> bool:
        """Whether they still exceed the rule."""
        return judge(self.delays.values(), self.rule) is not None


def judge(
    delays_ms: Iterable[int | None], rule: FastClick, waiting: int = 0, seconds: int | None = None
) -> Judgement | None:
    """Judge the delays of a device's clicks in the window; None: no impression near. `waiting`: it may come yet.

    `seconds`: in how many of them the fast ones were; None: in as many as needed.
    """
    known = [delay for delay in delays_ms if delay is not None]
    fast = sum(delay < rule.too_soon_ms for delay in known)
    told = fast if seconds is None else seconds
    if told >= rule.floor and fast >= rule.min_share * (len(known) + waiting):
        return exceeded(fast, 0.0, rule.floor, median_delay_ms=sorted(known)[len(known) // 2])
    if told < rule.quick_floor or waiting or not all(_MOMENT_MS < delay < rule.too_soon_ms / 2 for delay in known):
        return None
    return exceeded(fast, 0.0, rule.quick_floor, median_delay_ms=sorted(known)[len(known) // 2])
