"""device_event_burst: one device sends far more events of any kind than before, and than a person could cause.

Statistic: see device_counts, over the device's events. Below the ceiling, an id that many people share is not accused
when all of them come at once, as to a spot: see shared_ids. MRC invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from typing import Literal

from sori.settings.rules import DeviceEventBurst
from streams.rules import device_counts
from streams.rules.click_view import Grid
from streams.rules.shared_ids import is_shared
from streams.rules.window_view import WindowFinding, WindowView

NAME = "device_event_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
JUDGES: tuple[str, ...] = ()


def gate(rule: DeviceEventBurst) -> int:
    """The fewest events in one window with which the rule can be exceeded."""
    return device_counts.gate(rule)


def lookback_ms(rule: DeviceEventBurst, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return device_counts.lookback_ms(rule, grid)


def evaluate(view: WindowView, rule: DeviceEventBurst) -> WindowFinding | None:
    """Judge a device after an event of that kind."""
    found = device_counts.evaluate(view, _counts(view, rule), rule)
    if found is None or found.judgement.observed >= rule.ceiling:
        return found
    return None if is_shared([view.cell, *view.before(1)], rule.per_sign_in) else found


def due(view: WindowView, rule: DeviceEventBurst) -> int:
    """How many events the device must have in this window until it is worth asking again; see device_counts."""
    return device_counts.due(_counts(view, rule), rule)


def _counts(view: WindowView, rule: DeviceEventBurst) -> list[int]:
    return [cell.events for cell in (view.cell, *view.before(rule.baseline_windows + 1))]
