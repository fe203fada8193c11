"""geo_hop: one device changes its country more often than a person can, and not as people who share an id do.

Impossible travel (at least 500 km at 1000 km/h or more) needs coordinates, and GeoIP gives names. No offline
gazetteer resolves GeoIP's region and city names reliably, and GeoIP itself errs by a city far more often than by a
country: so the rule counts changes of country from one event to the next, in the order of event time, and no places.
An id behind which there are several people changes its country as well: an id of two platforms is none of one device,
and two sign-ins or more, with as many events each as people cause, are several people's. Of what is left:
`floor` changes between four countries within `quick_windows`, or twice as many between three, `min_share` of all
events; or `alternations` within `windows`, more than people would give who share the id and each stay in one place: the
number of runs in a random order of as many events (Wald and Wolfowitz 1940, for several kinds Barton and David 1957),
at most `max_p` likely.
Impressions and clicks are counted apart, since a click comes after its impression. Unknown places do not count, and
nothing is judged before a device was in two countries within one window.
MRC invalid traffic: SIVT (location does not fit the device).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from sori.events import UNKNOWN
from sori.settings.rules import GeoHop
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.statistics import many_runs
from streams.rules.window_view import WindowFinding, WindowView
from streams.state.counters import DeviceCell, Sighting

NAME = "geo_hop"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
JUDGES: tuple[str, ...] = ()
#: What a person can do: try two exits of a VPN and go home.
_FEW = 3
#: An event in a hundred may name another platform without being another phone's.
_OTHER_PLATFORM = 0.05


def lookback_ms(rule: GeoHop, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return windows_of(rule, grid) * grid.window_ms


def windows_of(rule: GeoHop, grid: Grid) -> int:
    """CTR windows that it reads."""
    return max(grid.span_ms(rule.windows) // grid.window_ms, rule.quick_windows)


def gate(rule: GeoHop) -> int:  # noqa: ARG001 - as of every rule
    """It is asked when a device moves, not from some count on."""
    return 1


def evaluate(view: WindowView, rule: GeoHop) -> WindowFinding | None:
    """Judge a device that was in another country than before."""
    recent = _seen(view, view.before(rule.quick_windows - 1))
    if changes_of(recent) < _FEW:
        return None  # older windows would be unpacked for nothing
    before = view.before((read := windows_of(rule, Grid(view.store.pane_ms, view.window_ms))) - 1)
    seen = _seen(view, before)
    if is_shared(seen, sum(cell.authentications for cell in (view.cell, *before)), rule):
        return None
    found, windows, about = judge_quick(recent, rule), rule.quick_windows, recent
    if found is None:
        found, windows, about = judge(seen, rule), read, seen
    if found is None:
        return None
    end = view.start_ms + view.window_ms
    return WindowFinding(found, end - windows * view.window_ms, end, tuple(one.identity for one in about))


def is_shared(seen: Sequence[Sighting], sign_ins: int, rule: GeoHop) -> bool:
    """Whether there are several people behind the id."""
    platforms = Counter(one.platform for one in seen if one.platform != UNKNOWN)
    others = platforms.total() - max(platforms.values(), default=0)
    if others > _OTHER_PLATFORM * platforms.total():
        return True
    return sign_ins > 1 and len(seen) <= rule.per_sign_in * sign_ins


def judge_quick(seen: Sequence[Sighting], rule: GeoHop) -> Judgement | None:
    """Judge many countries within minutes."""
    changes, countries = changes_of(seen), {one.country for one in seen}
    least = rule.floor if len(countries) > _FEW else 2 * rule.floor
    if changes < least or len(countries) < _FEW or changes < rule.min_share * (len(seen) - 1):
        return None
    return exceeded(changes, 1.0, rule.floor, countries=len(countries), named=", ".join(sorted(countries)))


def judge(seen: Sequence[Sighting], rule: GeoHop) -> Judgement | None:
    """Judge whether countries alternate: among what was shown, or among what was clicked."""
    for click in (False, True):
        of_kind = [one for one in seen if one.click is click]
        changes = changes_of(of_kind)
        if changes < rule.alternations:
            continue
        counts = Counter(one.country for one in of_kind)
        expected, chance = many_runs(changes, list(counts.values()))
        if chance <= rule.max_p:
            named = ", ".join(sorted(counts))
            return exceeded(changes, round(expected, 1), rule.alternations, countries=len(counts), named=named)
    return None


def changes_of(seen: Sequence[Sighting]) -> int:
    """How often the country is another one than that of the event before."""
    return sum(one.country != other.country for one, other in pairwise(seen))


def _seen(view: WindowView, before: Sequence[DeviceCell]) -> list[Sighting]:
    """What is known of where it was, in the order in which it happened."""
    found: list[Sighting] = []
    for back, cell in enumerate((view.cell, *before)):
        if cell.sightings is not None:
            found += cell.sightings
        elif cell.place is not None:  # once, whenever in its window it was
            found.append(Sighting(view.start_ms - back * view.window_ms, cell.place[0]))
    return sorted((one for one in found if one.country != UNKNOWN), key=lambda one: (one.time_ms, one.identity))
