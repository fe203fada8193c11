"""device_auth_burst: one device authenticates over and over.

Many authentications by one device are credential stuffing or a farm that cycles identities; a person signs in once.
Where many people sign in at one device, or behind one id, they go on and see something: so most of its events, in its
present window and the one before, must be authentications. While more devices of the account sign in than before, to a
spot or after a release that signs everybody out, as many times more are asked for, thrice at most: the id may
be of several people, whose impressions are late, or of one whose sign-in fails.

Statistic: see device_counts, over the device's authentications; the growth of the others is that above an upper bound
of their past (twice the standard deviation of a Poisson count). MRC invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from sori.events import AUTHENTICATION
from sori.settings.rules import DeviceAuthBurst
from streams.rules import device_counts
from streams.rules.click_view import Grid
from streams.rules.window_view import WindowFinding, WindowView

NAME = "device_auth_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
JUDGES: tuple[str, ...] = (AUTHENTICATION,)
#: So many times more is asked for at most: few people share an id, and bots would excuse each other.
MOST_EXCUSED = 3.0
#: Where none was counted, so many may have been expected (rule of three).
_OF_NONE = 3


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
    found = device_counts.evaluate(view, [cell.authentications for cell in cells], rule)
    if found is None or found.judgement.observed < rule.floor * min(MOST_EXCUSED, growth(view, rule)):
        return None
    return found


def growth(view: WindowView, rule: DeviceAuthBurst) -> float:
    """How many times as many devices of the account sign in now as may have before (Poisson); once at least."""
    window_ms, since_ms = view.window_ms, view.start_ms - view.window_ms
    now = _signed_in(view, since_ms, view.start_ms + window_ms)
    before = _signed_in(view, since_ms - rule.baseline_windows * window_ms, since_ms) * 2 / rule.baseline_windows
    return max(1.0, now / (before + 2 * sqrt(before) + _OF_NONE))


def _signed_in(view: WindowView, begin_ms: int, end_ms: int) -> int:
    """Devices of the account that signed in, counted once in each window."""
    store, account = view.store, view.key[0]
    return sum([store.sign_ins(account, start) for start in range(begin_ms, end_ms, store.pane_ms)])
