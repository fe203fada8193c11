"""What rules about a device that goes on and on share: its windows of up to an hour, beside the usual of its account.

Hop 1 forgets a device after ten minutes, and a replay could not give it back more. So it tells hop 2 of devices that
click, or sign in, again and again, window by window; hop 2 holds an hour of what it is told, and a replay of that topic
gives it back. See docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import add
from typing import NamedTuple

from sori.settings.rules import HourlyRule, RulesSettings
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement
from streams.rules.place_view import PlaceFinding, PlaceRule, PlaceView
from streams.rules.window_view import settings_of
from streams.state.device_habits import HabitSums, HourOfHabits, KeptSums
from streams.state.place_panes import SubjectSeries, SubjectSums

#: With the cooldown and room for a window that comes late, what an hour of lateness leaves.
_SPAN_MS = 3_300_000
#: Impressions that an account's usual is believed from, until there are more.
_PRIOR = 50.0


def lookback_ms(rule: HourlyRule, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max(_spans(rule, grid.window_ms, grid.most_ms))


class Reach(NamedTuple):
    """What rules about devices need before they find anything: so many (`floors`) of what each counts (its place among
    HabitSums) within `span_ms`.
    """

    span_ms: int
    floors: tuple[tuple[PlaceRule, int, int], ...]

    @classmethod
    def of(cls, modules: Iterable[PlaceRule], rules: RulesSettings, grid: Grid) -> Reach:
        """With these settings; of a rule that does not say what it counts, nothing is known beforehand."""
        settings = [(module, settings_of(rules, module.NAME)) for module in modules]
        spans = [module.lookback_ms(rule, grid) for module, rule in settings]
        counted = [(module, getattr(module, "COUNTED", ""), getattr(rule, "floor", 0)) for module, rule in settings]
        floors = [(one, HabitSums._fields.index(name), floor) if name else (one, 0, 0) for one, name, floor in counted]
        return cls(max(spans, default=0), tuple(floors))

    def rules(self, view: PlaceView) -> list[PlaceRule]:
        """Those that may find something."""
        sums = _sums(view, self.span_ms)
        return [module for module, at, floor in self.floors if sums[at] >= floor]


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
        view.hours[span_ms] = _hour_of(_sums(view, span_ms))
    return view.hours[span_ms]


def _sums(view: PlaceView, span_ms: int) -> HabitSums:
    if len(view.series) == 1:  # as of most devices: it clicked twice, and that was all
        return sums_of(_told(view, span_ms))
    before = _before(view, span_ms, view.end_ms - view.window_ms)
    return HabitSums._make(map(add, before, sums_of(_told(view, view.window_ms))))


def _before(view: PlaceView, span_ms: int, last_ms: int) -> HabitSums:
    """The sums of all windows of so long but the last: kept with the series while nothing more is told of them."""
    series, begin_ms = view.series, view.end_ms - span_ms
    if not isinstance(series, SubjectSeries):
        return sums_of(_between(view, begin_ms, last_ms))
    if series.kept is None:
        series.kept = {}
    kept = series.kept.get(span_ms)
    if kept is None or kept.begin_ms != begin_ms or kept.end_ms != last_ms:
        kept = series.kept[span_ms] = KeptSums(begin_ms, last_ms, sums_of(_between(view, begin_ms, last_ms)))
    return kept.sums


def _told(view: PlaceView, span_ms: int) -> list[SubjectSums]:
    return _between(view, view.end_ms - span_ms, view.end_ms)


def _between(view: PlaceView, begin_ms: int, end_ms: int) -> list[SubjectSums]:
    return [sums for sums in view.between(begin_ms, end_ms) if sums.habits is not None]


def sums_of(window: Sequence[SubjectSums]) -> HabitSums:
    """The sums of these windows."""
    told = [one.habits.counts for one in window if one.habits is not None]
    if not told:
        return HabitSums()
    if len(window) == 1:
        (counts,), (one,) = told, window
        return HabitSums._make((one.impressions, one.clicks, *counts, int(counts[3] > 0)))
    own = sum([one.impressions for one in window]), sum([one.clicks for one in window])
    return HabitSums._make([*own, *map(sum, zip(*told, strict=True)), sum([counts[3] > 0 for counts in told])])


def _hour_of(sums: HabitSums) -> HourOfHabits:
    own, everybody = (sums.impressions, sums.clicks, sums.signed_in), sums[6:9]
    others = [max(0, of_all - mine) for of_all, mine in zip(everybody, own, strict=True)]
    return HourOfHabits(*sums[:6], *others)


def usual_odds(part: float, rest: float, usual: float, prior: float = _PRIOR) -> float:
    """The odds of `part` by `rest` in an account, shrunk to those of `usual` until it shows enough (a beta prior)."""
    return (part + prior * usual) / (rest + prior * (1 - usual))


def odds(share: float) -> float:
    """Of a share below one."""
    return share / (1 - share)


def _spans(rule: HourlyRule, window_ms: int, most_ms: int) -> tuple[int, int]:
    fits = max(window_ms, (most_ms - most_ms % window_ms))
    longest = min(_SPAN_MS, fits) if rule.window_s is None else rule.window_s * 1000
    quick = min(rule.quick_window_s * 1000, longest)
    return max(window_ms, quick - quick % window_ms), max(window_ms, longest - longest % window_ms)
