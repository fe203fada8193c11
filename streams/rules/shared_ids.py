"""Whether many people are behind an id: they sign in, and come as chance has it.

Ids baked into images, cloned boxes and careless SDKs are one id of many people (Android issue 10603). Under a spot all
of them come at once, and what they do together no person could. Told by two things that no script does without trying:
several sign-ins, with as many events each as people cause, and times between impressions as uneven as chance, whose
variance is the square of their mean (a Poisson process; a script's pauses, and a person's, are far more even).
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.rules.click_view import ClickView
from streams.state.counters import DeviceCell
from streams.state.device_panes import DeviceKey, PaneStore

#: CTR windows that are looked at: the present one, and the one before.
READS_WINDOWS = 2
#: Events of a person who has signed in, at most, in a minute or two.
PER_SIGN_IN = 12
#: Nobody needs to sign in so often in two minutes.
_SEVERAL = 4
#: Variance by the square of the mean. Of ten gaps at random (exponential, 20,000 draws) it is less by chance in one
#: case in fifty; than the other, in one in four: of whom more clicks come than impressions there must be less doubt.
_AS_CHANCE, _MORE_THAN_CHANCE = 0.25, 0.5


def is_shared(cells: Sequence[DeviceCell], per_sign_in: int = PER_SIGN_IN) -> bool:
    """By what the id did in some windows."""
    sign_ins = sum([cell.authentications for cell in cells])
    if sign_ins < _SEVERAL or sum([cell.events for cell in cells]) > per_sign_in * sign_ins:
        return False
    paces = [cell.pace for cell in cells if cell.pace is not None]
    gaps, sum_ms = sum([pace.gaps for pace in paces]), sum([pace.sum_ms for pace in paces])
    shown_each = sum([cell.impressions for cell in cells]) >= sum([cell.clicks for cell in cells])
    as_chance = _AS_CHANCE if shown_each else _MORE_THAN_CHANCE
    return gaps * sum([pace.squares for pace in paces]) > (1 + as_chance) * sum_ms**2


def is_of_many(store: PaneStore, key: DeviceKey, time_ms: int) -> bool:
    """The same in the CTR window of a time and the one before."""
    start = time_ms - time_ms % store.window_ms
    begins = range(start, start - READS_WINDOWS * store.window_ms, -store.window_ms)
    windows = [window for begin in begins if (window := store.windows.get(begin)) is not None]
    return is_shared([cell for window in windows if (cell := window.device(key)) is not None])


def clicks_of_many(view: ClickView) -> bool:
    """The same as of a click."""
    return is_of_many(view.store, view.key, view.time_ms)
