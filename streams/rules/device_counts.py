"""device_event_burst and device_auth_burst: one device sends far more than before, and more than a person could.

Statistic: a sliding-window counter as rate limiters use it: this window's count so far, plus the window before it in
proportion to how much of it the last `window` milliseconds still cover. It needs nothing beyond the counts that are
published per device anyway, and errs by at most the unevenness of the window before. Against the device's own mean
over `baseline_windows` windows before those, with the same floor, factor and ceiling as device_click_burst.

Many authentications by one device are credential stuffing or a farm that cycles identities; a person signs in once.
MRC invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from typing import Literal

from sori.settings.rules import DeviceAuthBurst, DeviceEventBurst
from streams.rules.judgement import Judgement, judge_burst

EVENTS_NAME = "device_event_burst"
AUTHS_NAME = "device_auth_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"


def lookback_ms(rule: DeviceEventBurst | DeviceAuthBurst, window_ms: int) -> int:
    """How far before the end of the present window the rule reads."""
    return (rule.baseline_windows + 2) * window_ms


def judge(
    current: int, previous: int, elapsed: float, past: int, rule: DeviceEventBurst | DeviceAuthBurst
) -> Judgement | None:
    """Judge a device `elapsed` (0 to 1) into its window; `past`: the sum over the baseline's windows."""
    observed = current + previous * (1.0 - elapsed)
    expected = past / rule.baseline_windows
    return judge_burst(observed, expected, rule.floor, rule.factor, rule.ceiling)
