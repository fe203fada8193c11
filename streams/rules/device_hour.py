"""What rules about a device that goes on and on share: its windows of up to an hour, beside the usual of its account.

Hop 1 forgets a device after ten minutes, and a replay could not give it back more. So it tells hop 2 of devices that
click, or sign in, again and again, window by window; hop 2 holds an hour of what it is told, and a replay of that topic
gives it back. See docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sori.settings.rules import HourlyRule
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.state.device_habits import HourOfHabits
from streams.state.place_panes import SubjectSums

#: With the cooldown and room for a window that comes late, what an hour of lateness leaves.
_SPAN_MS = 3_300_000
#: Impressions that an account's usual is believed from, until there are more.
_PRIOR = 50.0


def lookback_ms(rule: HourlyRule, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max(_spans(rule, grid.window_ms, grid.most_ms))


def evaluate(
    view: PlaceView, rule: HourlyRule, least: tuple[str, int], judge: Callable[[HourOfHabits], Judgement | None]
) -> PlaceFinding | None:
    """Judge a device as of a window of which more was told: over the shorter time, then over the longer.

    `least`: which of the sums must be how many within the longer time; with fewer nothing is judged.
    """
    quick_ms, longest_ms = _spans(rule, view.window_ms, view.most_ms)
    counted, floor = least
    if getattr(_hour(view, longest_ms), counted) < floor:
        return None
    for span_ms in (quick_ms, longest_ms):
        found = judge(_hour(view, span_ms))
        if found is not None:
            return PlaceFinding(found, view.end_ms - span_ms, _told(view, span_ms))
    return None


def _hour(view: PlaceView, span_ms: int) -> HourOfHabits:
    """The sums of so long, made once for all rules."""
    if span_ms not in view.hours:
        view.hours[span_ms] = hour_of(_told(view, span_ms))
    return view.hours[span_ms]


def _told(view: PlaceView, span_ms: int) -> list[SubjectSums]:
    return [sums for sums in view.between(view.end_ms - span_ms, view.end_ms) if sums.habits is not None]


def hour_of(window: Sequence[SubjectSums]) -> HourOfHabits:
    """The sums of these windows."""
    own = sum(one.impressions for one in window), sum(one.clicks for one in window)
    told = [one.habits.counts for one in window if one.habits is not None]
    taps, near, fast, sign_ins, *everybody = (sum(column) for column in zip(*told, strict=True)) if told else [0] * 7
    signed_in = sum(counts[3] > 0 for counts in told)  # of everybody, a device counts once in each window
    others = (max(0, of_all - mine) for of_all, mine in zip(everybody, (*own, signed_in), strict=True))
    return HourOfHabits(*own, taps, near, fast, sign_ins, *others)


def usual_odds(part: float, rest: float, usual: float) -> float:
    """The odds of `part` by `rest` in an account, shrunk to those of `usual` until it shows enough (a beta prior)."""
    return (part + _PRIOR * usual) / (rest + _PRIOR * (1 - usual))


def odds(share: float) -> float:
    """Of a share below one."""
    return share / (1 - share)


def _spans(rule: HourlyRule, window_ms: int, most_ms: int) -> tuple[int, int]:
    fits = max(window_ms, (most_ms - most_ms % window_ms))
    longest = min(_SPAN_MS, fits) if rule.window_s is None else rule.window_s * 1000
    quick = min(rule.quick_window_s * 1000, longest)
    return max(window_ms, quick - quick % window_ms), max(window_ms, longest - longest % window_ms)
