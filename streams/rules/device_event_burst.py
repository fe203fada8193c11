"""device_event_burst: one device sends far more events of any kind than before, and than a person could cause.

Statistic: see device_counts, over the device's events. Below the ceiling, an id that many people share is not accused
when all of them come at once, as to a spot: they sign in, with `per_sign_in` events each at most, and the times between
their impressions are as uneven as chance, as no script's are that does not try. MRC invalid traffic: GIVT,
activity-based filtration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sori.settings.rules import DeviceEventBurst
from streams.rules import device_counts
from streams.rules.click_view import Grid
from streams.rules.window_view import WindowFinding, WindowView
from streams.state.counters import DeviceCell

NAME = "device_event_burst"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
JUDGES: tuple[str, ...] = ()
#: Nobody needs to sign in so often in two minutes.
_SEVERAL = 4
#: Variance by the square of the mean: of events at random one, of a script's or a person's that follow each other less.
_AS_CHANCE = 0.5


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
    return None if is_shared([view.cell, *view.before(1)], rule) else found


def is_shared(cells: Sequence[DeviceCell], rule: DeviceEventBurst) -> bool:
    """Whether many people are behind the id, by what it did in some windows."""
    sign_ins = sum([cell.authentications for cell in cells])
    if sign_ins < _SEVERAL or sum([cell.events for cell in cells]) > rule.per_sign_in * sign_ins:
        return False
    paces = [cell.pace for cell in cells if cell.pace is not None]
    gaps, sum_ms = sum([pace.gaps for pace in paces]), sum([pace.sum_ms for pace in paces])
    return gaps * sum([pace.squares for pace in paces]) > (1 + _AS_CHANCE) * sum_ms**2


def due(view: WindowView, rule: DeviceEventBurst, *, unheard: int) -> int:
    """How many events the device must have in this window until it is worth asking again; see device_counts."""
    return device_counts.due(_counts(view, rule), rule, unheard=unheard)


def _counts(view: WindowView, rule: DeviceEventBurst) -> list[int]:
    return [cell.events for cell in (view.cell, *view.before(rule.baseline_windows + 1))]
