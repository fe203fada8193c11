"""device_click_burst: one device clicks far more than it used to, and more than a person would.

Statistic: clicks in a sliding window, against the device's own mean over the panes before it. A burst has at least
`floor` clicks and `factor` times the expected ones; from `ceiling` on it is one whatever the past was, so that a
device that never stops does not become its own excuse. MRC invalid traffic: GIVT, activity-based filtration.
The judgement has no memory of earlier judgements: that is what makes it replay exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from sori.settings.rules import DeviceClickBurst
from streams.alerts import Severity
from streams.rules.statistics import severity_of

NAME = "device_click_burst"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A burst: counts over the window."""

    observed: float
    expected: float
    floor: float
    severity: Severity


def judge(clicks: int, baseline_clicks: int, rule: DeviceClickBurst) -> Judgement | None:
    """Judge `clicks` in the window, after `baseline_clicks` in the baseline before it."""
    if clicks < rule.floor:
        return None
    expected = baseline_clicks * rule.window_s / rule.baseline_s
    if clicks < rule.factor * expected and clicks < rule.ceiling:
        return None
    return Judgement(clicks, expected, rule.floor, severity_of(clicks, rule.floor))
