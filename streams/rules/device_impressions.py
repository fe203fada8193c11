"""device_impressions: one device is shown spots for minutes without a pause, as nobody hears them.

A card is shown when a spot is heard. Spots take 6 to 60 s (IAB's lengths of audio and bumper ads), come in breaks, and
between them is what people listen to; a banner that is made to refresh by itself waits 30 s at least (Google Ad
Manager's declared refresh, AdMob: 30 to 120 s). So two things are beyond a person, and beyond a counter at which one
comes after the other. (a) More even than chance: over minutes in a row with several impressions each, the times between
them are spread by `max_spread` at most (Greenwood 1946), and events at random would be so with a chance of `max_p` at
most. Many people who share an id are at random, at whatever rate, and breaks and queues are less even than that. Where
more come than people hear, more than `per_minute`, and that evenly, no minutes need to pass: `quick_part` of the floor
is enough. (b) More than people hear: `per_minute` in each of `busy_windows`, nearly all in one place, where nobody
signs in: so it is not many people who share an id, nor boxes cloned from one image. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sori.events import IMPRESSION
from sori.settings.rules import DeviceImpressions
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.statistics import even_gaps
from streams.rules.window_view import WindowFinding, WindowView
from streams.state.counters import PACED_FROM, DeviceCell

NAME = "device_impressions"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
JUDGES: tuple[str, ...] = (IMPRESSION,)
#: Of a device in one place, GeoIP names another one for up to a third of its events: for most of several windows, not.
_MOST_ELSEWHERE = 0.25


def gate(rule: DeviceImpressions) -> int:  # noqa: ARG001 - as of every rule
    """The fewest impressions in one window of which it is noted how they follow each other."""
    return PACED_FROM


def lookback_ms(rule: DeviceImpressions, grid: Grid) -> int:
    """How far before the end of the present window the rule reads."""
    return grid.span_ms(rule.windows)


def evaluate(view: WindowView, rule: DeviceImpressions) -> WindowFinding | None:
    """Judge a device after an impression."""
    windows = Grid(view.store.pane_ms, view.window_ms).span_ms(rule.windows) // view.window_ms
    cells = [view.cell, *view.before(windows - 1)]
    found = judge(cells, rule, windows, view.window_ms)
    if found is None:
        return None
    begin = view.start_ms - (_in_a_row(cells) - 1) * view.window_ms
    return WindowFinding(found, begin, view.time_ms, (view.identity,))


def judge(cells: Sequence[DeviceCell], rule: DeviceImpressions, windows: int, window_ms: int) -> Judgement | None:
    """Judge a device by what its windows hold of it, the newest first; `windows`: how many are looked at."""
    row = cells[: _in_a_row(cells)]
    impressions = sum([cell.impressions for cell in row])
    if _signed_in(row) > rule.max_sign_ins * impressions:
        return None
    paces = [cell.pace for cell in row if cell.pace is not None]
    gaps, sum_ms = sum([pace.gaps for pace in paces]), sum([pace.sum_ms for pace in paces])
    unheard_of = sum_ms * rule.per_minute < 60_000 * gaps
    floor = rule.quick_floor if unheard_of else rule.floor
    lasts = len(row) >= min(rule.least_windows, windows)
    if gaps < floor or sum_ms <= 0 or not (lasts or unheard_of):
        return None
    told = {"impressions": impressions, "every_s": round(sum_ms / gaps / 1000, 1)}
    spread = gaps * sum([pace.squares for pace in paces]) / sum_ms**2 - 1
    if spread <= rule.max_spread and even_gaps(spread, gaps) <= rule.max_p:
        return exceeded(impressions, 0.0, floor, **told, spread=round(max(0.0, spread), 3))
    if lasts and gaps >= rule.floor and _is_busy(row[: min(rule.busy_windows, windows)], rule, windows, window_ms):
        return exceeded(impressions, 0.0, rule.floor, **told)
    return None


def _in_a_row(cells: Sequence[DeviceCell]) -> int:
    """How many of the newest windows have each several impressions."""
    return next((n for n, cell in enumerate(cells) if cell.pace is None), len(cells))


def _signed_in(cells: Sequence[DeviceCell]) -> int:
    return sum([cell.authentications for cell in cells])


def _is_busy(cells: Sequence[DeviceCell], rule: DeviceImpressions, windows: int, window_ms: int) -> bool:
    """Whether there were too many in each of these, and in one place."""
    if len(cells) < min(rule.busy_windows, windows):
        return False
    if 60_000 * min(cell.impressions for cell in cells) < rule.per_minute * window_ms:
        return False
    paces = [cell.pace for cell in cells if cell.pace is not None]
    moved = sum([pace.elsewhere for pace in paces]) > _MOST_ELSEWHERE * sum([pace.gaps for pace in paces])
    return not moved and len({cell.place for cell in cells}) == 1
