"""What device_event_burst and device_auth_burst share: more than before, and more than a person could cause.

Statistic: a sliding-window counter as rate limiters use it: this window's count so far, plus the window before it in
proportion to how much of it the last `window` milliseconds still cover. It needs nothing beyond the counts that are
published per device anyway, and errs by at most the unevenness of the window before. Against the device's own mean
over `baseline_windows` windows before those, with the same floor, factor and ceiling as device_click_burst.
"""

from __future__ import annotations

from sori.settings.rules import DeviceAuthBurst, DeviceEventBurst
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, judge_burst
from streams.rules.window_view import WindowFinding, WindowView


def gate(rule: DeviceEventBurst | DeviceAuthBurst) -> int:
    """A window and the rest of the one before hold the floor only if one of them holds half of it."""
    return -(-rule.floor // 2)


def lookback_ms(rule: DeviceEventBurst | DeviceAuthBurst, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return (rule.baseline_windows + 2) * grid.window_ms


def evaluate(view: WindowView, counts: list[int], rule: DeviceEventBurst | DeviceAuthBurst) -> WindowFinding | None:
    """Judge `counts`, the newest window's first, as of an event."""
    elapsed = (view.time_ms - view.start_ms) / view.window_ms
    found = judge(counts[0], counts[1], elapsed, sum(counts[2:]), rule)
    return WindowFinding(found, view.time_ms - view.window_ms, view.time_ms, (view.identity,)) if found else None


def due(counts: list[int], rule: DeviceEventBurst | DeviceAuthBurst) -> int:
    """The fewest in this window with which the rule could be exceeded, unless more comes of the one before."""
    expected = sum(counts[2:]) / rule.baseline_windows  # more only makes it harder
    least = max(rule.floor, min(rule.factor * expected, rule.ceiling))
    return int(least - counts[1])


def judge(
    current: int, previous: int, elapsed: float, past: int, rule: DeviceEventBurst | DeviceAuthBurst
) -> Judgement | None:
    """Judge a device `elapsed` (0 to 1) into its window; `past`: the sum over the baseline's windows."""
    observed = current + previous * (1.0 - elapsed)
    expected = past / rule.baseline_windows
    return judge_burst(observed, expected, rule.floor, rule.factor, rule.ceiling)
