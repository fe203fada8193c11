"""returning_clickers: the same devices click one campaign again and again, and nearly all that they are shown.

Finds software that clicks on the phones of people: while these listen, it shows some banners behind the screen, or
none, and clicks them, a dozen an hour on each phone, on the campaign that it is paid for. No phone does enough to be
accused by itself, and all their clicks are few among those of their campaign; but people who come back to a campaign
are few, and of what they are shown they click half at most. Statistic: hop 1 tells who clicks the campaign within seven
CTR windows of another click, and in how many panes it clicked in these, of how many impressions. Who clicked half or
more then is looked at from then on, in windows that were not looked at yet: clicks beside those that had it told of
(the last one, and one before) are compared with what a device gives that clicks `min_ctr` of what it is shown (a
binomial variable, given that it is one at least), summed up over devices: as many are as unlikely as `max_p` (a normal
tail). At least `floor` devices, of which that says anything. So neither clicking much once nor being told of counts, no
past is needed, and no crowd hides them. Where clicks on other campaigns of the account lack their impression,
impressions are lost, and as many more are taken for granted here, unless the clicks on this one have theirs. It is
judged while such a device came back within five minutes. What comes later still takes a finding back. Click spam from
apps on real devices: Dave, Guha, Zhang, "ViceROI", CCS 2013. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt
from typing import Literal, NamedTuple

from sori.settings.rules import ReturningClickers
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import some_of, wilson
from streams.state.local_counts import TOLD_WINDOWS, Returning

NAME = "returning_clickers"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["campaign"] = "campaign"
ASKED = "minutes"
CORRECTABLE = True
#: With the cooldown, what an hour of lateness leaves; and how long ago one of them came back at most.
_SPAN_MS, _RECENT_MS = 3_300_000, 300_000
#: Clicks elsewhere from which it is asked whether the account's impressions are lost.
_ENOUGH = 20


class Stretch(NamedTuple):
    """A device in the windows up to a pane in which it came back: panes with clicks, but for one, and impressions."""

    start_ms: int
    taps: int
    shown: int


def lookback_ms(rule: ReturningClickers, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    longest_ms = min(_SPAN_MS, grid.most_ms) if rule.window_s is None else rule.window_s * 1000
    return max(grid.pane_ms, longest_ms - longest_ms % grid.pane_ms)


def evaluate(view: PlaceView, rule: ReturningClickers) -> PlaceFinding | None:
    """Judge a campaign as of a pane that began."""
    series, end, pane_ms = view.series, view.end_ms, view.pane_ms
    begin = end - lookback_ms(rule, Grid(pane_ms, view.window_ms, view.grace_ms, view.most_ms))
    recent = max(begin, end - _RECENT_MS)
    if not any(start in series and _told(view, start) for start in range(recent, end, pane_ms)):
        return None  # as nearly always
    starts = [start for start in range(begin, end, pane_ms) if start in series and _told(view, start)]
    found = stretches([(start, series[start].returning()) for start in starts], view.window_ms)
    if judge(found, rule, since_ms=recent) is None:
        return None
    result = judge(found, rule, _kept(view, begin), recent)
    since = min([own[0].start_ms for own in found.values()])
    return None if result is None else PlaceFinding(result, since, view.between(since, end))


def _told(view: PlaceView, start: int) -> bool:
    details = view.series[start].details
    return details is not None and details.returning


def stretches(told: Sequence[tuple[int, Sequence[Returning]]], window_ms: int) -> dict[int, list[Stretch]]:
    """Of what was told in panes, the oldest first: of each device that came back in windows of their own again."""
    found, free = dict[int, list[Stretch]](), dict[int, int]()
    for start, devices in told:
        for device, taps, shown in devices:
            if start >= free.get(device, 0):
                free[device] = start - start % window_ms + TOLD_WINDOWS * window_ms
                found.setdefault(device, []).append(Stretch(start, max(1, taps - 1), shown))
    return {device: own for device, own in found.items() if len(own) > 1}


def judge(
    found: dict[int, list[Stretch]], rule: ReturningClickers, kept: float = 1.0, since_ms: int = 0
) -> Judgement | None:
    """Judge devices that came back; `kept`: how many of the account's impressions come. One came back since then."""
    devices = taps = shown = 0
    expected = variance = 0.0
    recent = False
    for own in found.values():
        (first, *others), told = [_usual(one, rule.min_ctr, kept) for one in own], own[1:]
        spread = sum([of_chance for _, of_chance in others])
        if own[0].taps < first[0] or not spread:
            continue
        devices, variance, expected = devices + 1, variance + spread, expected + sum([mean for mean, _ in others])
        taps, shown = taps + sum([one.taps for one in told]), shown + sum([one.shown for one in told])
        recent = recent or told[-1].start_ms >= since_ms
    if devices < rule.floor or not recent:
        return None
    if erfc((taps - expected) / sqrt(2 * variance)) / 2 > rule.max_p:
        return None
    return exceeded(devices, 0.0, rule.floor, taps=taps, shown=shown)


def _usual(stretch: Stretch, rate: float, kept: float) -> tuple[float, float]:
    """Mean and variance of its taps, where one at least is certain."""
    return some_of(max(stretch.taps, round(stretch.shown / kept) - 1), rate)


def _kept(view: PlaceView, begin_ms: int) -> float:
    """How many of the account's impressions come: the part of clicking devices that have theirs, elsewhere or here."""
    everywhere, own = view.of_account(begin_ms, view.end_ms), view.between(begin_ms, view.end_ms)
    devices, shown = sum([one.clicking_devices for one in own]), sum([one.shown_devices for one in own])
    others = max(0, everywhere.devices - devices)
    if others < _ENOUGH:
        return 1.0
    elsewhere = wilson(max(0, everywhere.shown - shown), others)[1]
    return max(elsewhere, shown / max(1, devices))
