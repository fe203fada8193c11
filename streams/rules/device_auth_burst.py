"""device_auth_burst: one device authenticates over and over.

Many authentications by one device are credential stuffing or a farm that cycles identities; a person signs in once.
Where many people sign in at one device, or behind one id, they go on and see something: so most of its events, in its
present window and the one before, must be authentications.

Statistic: see device_counts, over the device's authentications. MRC invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from typing import Literal

from sori.events import AUTHENTICATION
from sori.settings.rules import DeviceAuthBurst
from streams.rules import device_counts
from streams.rules.click_view import Grid
from streams.rules.window_view import WindowFinding, WindowView

NAME = "device_auth_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
JUDGES: tuple[str, ...] = (AUTHENTICATION,)


def gate(rule: DeviceAuthBurst) -> int:
    """The fewest authentications in one window with which the rule can be exceeded."""
    return device_counts.gate(rule)


def lookback_ms(rule: DeviceAuthBurst, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return device_counts.lookback_ms(rule, grid)


def evaluate(view: WindowView, rule: DeviceAuthBurst) -> WindowFinding | None:
    """Judge a device after an event of that kind."""
    cells = (view.cell, *view.before(rule.baseline_windows + 1))
    recent = cells[:2]
    if sum(cell.authentications for cell in recent) < rule.min_share * sum(cell.events for cell in recent):
        return None
    return device_counts.evaluate(view, [cell.authentications for cell in cells], rule)
