"""device_click_burst: one device clicks far more than it used to, and more than a person would.

Statistic: clicks in a sliding window, against the device's own mean over the panes before it. A burst has at least
`floor` clicks and `factor` times the expected ones; from `ceiling` on it is one whatever the past was, so that neither
a device that never stops nor one that speeds up slowly becomes its own excuse. A third of a minute is looked at too: a
spot takes 6 s at least (IAB's shortest audio and bumper ads), so nobody is shown more than three or four things in it;
twice as many taps, a second apart at least, are no person's. As of an id that many share, they must be as unlikely as
`max_p` beside its past (upper Poisson tail over an upper bound of that), and below the ceiling an id that behaves so
(shared_ids) is not accused. (Windows of seconds to a minute are what the
TalkingData 2018 click-fraud data rewarded.) MRC invalid traffic: GIVT, activity-based filtration.
The judgement has no memory of earlier judgements: that is what makes it replay exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, sqrt
from typing import Literal

from sori.settings.rules import DeviceClickBurst
from streams.rules.click_view import ClickView, Exceeded, Grid, Lasting, Verdict
from streams.rules.judgement import Judgement, exceeded, judge_burst
from streams.rules.shared_ids import READS_WINDOWS, clicks_of_many
from streams.rules.statistics import poisson_tail
from streams.state.counters import Click

NAME = "device_click_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
COUNTS_ALL = True
WAITS = False
#: Nobody taps two things sooner; an SDK that tells each tap twice does.
_ONE_TAP_MS = 1000


def lookback_ms(rule: DeviceClickBurst, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max((rule.window_s + rule.baseline_s) * 1000, READS_WINDOWS * grid.window_ms)


def reads_from_ms(end_ms: int, rule: DeviceClickBurst, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - lookback_ms(rule, grid)


def evaluate(view: ClickView, rule: DeviceClickBurst) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    clicks = sum(cell.clicks for cell in view.since(begin))
    left = rule.floor - clicks
    few = left > 0
    if left <= 0:
        past = view.clicks_between(begin - rule.baseline_s * 1000, begin)
        if (found := judge(clicks, past, rule)) and (clicks >= rule.ceiling or not clicks_of_many(view)):
            return Exceeded(found, begin, view.kept(begin))
        left = ceil(min(rule.factor * past * rule.window_s / rule.baseline_s, rule.ceiling)) - clicks
    if clicks < rule.quick_floor:
        return Lasting(rule.quick_floor - clicks)  # no greater than the other floor
    begin = view.end_ms - _quick_window_s(rule) * 1000
    made = taps(kept := view.kept(begin))
    if made < rule.quick_floor:
        left = max(1, min(left, rule.quick_floor - made))
        return Lasting(left) if few else left  # what leaves the windows makes fewer, but also the past
    past = view.clicks_between(begin - rule.baseline_s * 1000, begin)
    if (found := judge_taps(made, past, rule)) and not clicks_of_many(view):
        return Exceeded(found, begin, kept)
    return 1


def taps(clicks: Iterable[Click]) -> int:
    """How many of these clicks are a second apart at least."""
    found, last = 0, -_ONE_TAP_MS
    for time_ms in sorted([click.time_ms for click in clicks]):
        if time_ms - last >= _ONE_TAP_MS:
            found, last = found + 1, time_ms
    return found


def judge_taps(made: int, past: int, rule: DeviceClickBurst) -> Judgement | None:
    """Judge `made` taps in the quick window, after `past` clicks in the baseline before it."""
    part = _quick_window_s(rule) / rule.baseline_s
    if made < rule.quick_floor or poisson_tail(made, (past + 2 * sqrt(past) + 1) * part) > rule.max_p:
        return None
    return exceeded(made, past * part, rule.quick_floor)


def judge(clicks: int, baseline_clicks: int, rule: DeviceClickBurst) -> Judgement | None:
    """Judge `clicks` in the window, after `baseline_clicks` in the baseline before it."""
    expected = baseline_clicks * rule.window_s / rule.baseline_s
    return judge_burst(clicks, expected, rule.floor, rule.factor, rule.ceiling)


def _quick_window_s(rule: DeviceClickBurst) -> int:
    return min(rule.quick_window_s, rule.window_s)
