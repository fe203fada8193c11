"""device_click_burst: one device clicks far more than it used to, and more than a person would.

Statistic: clicks in a sliding window, against the device's own mean over the panes before it. A burst has at least
`floor` clicks and `factor` times the expected ones; from `ceiling` on it is one whatever the past was, so that neither
a device that never stops nor one that speeds up slowly becomes its own excuse. (Windows of seconds to a minute are
what the TalkingData 2018 click-fraud data rewarded.) MRC invalid traffic: GIVT, activity-based filtration.
The judgement has no memory of earlier judgements: that is what makes it replay exactly.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

from sori.settings.rules import DeviceClickBurst
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict
from streams.rules.judgement import Judgement, judge_burst

NAME = "device_click_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
COUNTS_ALL = True
WAITS = False


def lookback_ms(rule: DeviceClickBurst, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return (rule.window_s + rule.baseline_s) * 1000


def reads_from_ms(end_ms: int, rule: DeviceClickBurst, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - lookback_ms(rule, grid)


def evaluate(view: ClickView, rule: DeviceClickBurst) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    clicks = sum(cell.clicks for cell in view.since(begin))
    if clicks < rule.floor:
        return rule.floor - clicks
    past = view.clicks_between(begin - rule.baseline_s * 1000, begin)
    if found := judge(clicks, past, rule):
        return Exceeded(found, begin, view.kept(begin))
    enough = min(rule.factor * past * rule.window_s / rule.baseline_s, rule.ceiling)
    return max(1, ceil(enough) - clicks)


def judge(clicks: int, baseline_clicks: int, rule: DeviceClickBurst) -> Judgement | None:
    """Judge `clicks` in the window, after `baseline_clicks` in the baseline before it."""
    expected = baseline_clicks * rule.window_s / rule.baseline_s
    return judge_burst(clicks, expected, rule.floor, rule.factor, rule.ceiling)
