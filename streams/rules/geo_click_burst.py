"""geo_click_burst: a place clicks far more than it used to, and more than its impressions explain.

When a spot airs, impressions jump in one place within a minute and clicks follow at the usual rate: the product at
work. So the rule asks three things of the window: clicks at least `floor` and `factor` times expected; the busiest
device left out (one device's flood is device_click_burst's matter); and a click-through rate whose Wilson lower bound
is at least `min_ctr` and `ctr_factor` times the place's past rate, over impressions that reach back further than the
clicks by `impression_lag_s`, since a click comes after its impression. Clicks that were each shown to their device
first, one each, are no burst however many they are: see explained_clicks. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from sori.settings.rules import GeoClickBurst
from streams.rules.click_view import Grid
from streams.rules.explained_clicks import explained, reads_s, told_airing
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import Lacking, PlaceFinding, PlaceView
from streams.rules.statistics import wilson_lower

NAME = "geo_click_burst"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["place"] = "place"
CORRECTABLE = True

#: Further clicks after which it is asked again in any case.
_MOST_LEFT = 256
#: Prior of a place without a past: 5 % of 20 impressions.
_PRIOR_CLICKS, _PRIOR_IMPRESSIONS = 1.0, 20.0


def lookback_ms(rule: GeoClickBurst, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    window_s = rule.window_s
    return max(window_s + max(rule.baseline_s, rule.impression_lag_s), reads_s(window_s, rule.airing_s)) * 1000


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """Counts of one place. `window_impressions` reach back `impression_lag_s` before the window."""

    window_clicks: int
    top_device_clicks: int
    window_impressions: int
    baseline_clicks: int
    baseline_impressions: int


def stands_out(clicks: int, impressions: int, rule: GeoClickBurst) -> bool:
    """Whether the past matters: below this no place exceeds the rule, which spares reading the past of nearly all."""
    if clicks < rule.floor or clicks < rule.min_ctr * impressions:
        return False  # no bound from below is above the rate itself
    return wilson_lower(clicks, max(impressions, clicks)) >= rule.min_ctr


def evaluate(view: PlaceView, rule: GeoClickBurst) -> PlaceFinding | Lacking | None:
    """Judge a place as of a pane that got clicks."""
    end = view.end_ms
    begin = end - rule.window_s * 1000
    window = view.between(begin, end)
    clicks = sum(sums.clicks for sums in window)
    if clicks < rule.floor:
        return Lacking(rule.floor - clicks)
    top = sum(sums.top_device_clicks for sums in window)
    least = rule.min_ctr * sum(sums.impressions for sums in window)
    if clicks - top < least:
        return Lacking(ceil(least) - clicks + top)  # nor would it beside those of before the window
    impressions = sum(sums.impressions for sums in view.between(begin - rule.impression_lag_s * 1000, end))
    if not stands_out(clicks - top, impressions, rule):
        return Lacking(max(1, ceil(max(rule.floor, rule.min_ctr * impressions)) - clicks + top))
    past = view.between(begin - rule.baseline_s * 1000, begin)
    counts = PlaceCounts(
        window_clicks=clicks,
        top_device_clicks=top,
        window_impressions=impressions,
        baseline_clicks=sum(sums.clicks for sums in past),
        baseline_impressions=sum(sums.impressions for sums in past),
    )
    if (left := ceil(rule.factor * expected(counts, rule)) - clicks + top) > 0:
        return Lacking(left)
    found = judge(counts, rule)
    if found is None:
        return Lacking(_more(counts, rule), past_ms=begin)
    excused = explained(view, begin, impressions, rule.airing_s)
    return None if excused else PlaceFinding(found.with_details(**told_airing(view, rule.airing_s)), begin, window)


def judge(counts: PlaceCounts, rule: GeoClickBurst) -> Judgement | None:
    """Judge one place's window against its past."""
    clicks = counts.window_clicks - counts.top_device_clicks
    if clicks < rule.floor:
        return None
    usual = expected(counts, rule)
    if clicks < rule.factor * usual:
        return None
    trials = max(counts.window_impressions, clicks)
    ctr_lower, baseline_ctr = wilson_lower(clicks, trials), _baseline_ctr(counts)
    if ctr_lower < _least_ctr(counts, rule):
        return None
    return exceeded(clicks, usual, rule.floor, ctr_lower=round(ctr_lower, 4), baseline_ctr=round(baseline_ctr, 4))


def _baseline_ctr(counts: PlaceCounts) -> float:
    return (counts.baseline_clicks + _PRIOR_CLICKS) / (counts.baseline_impressions + _PRIOR_IMPRESSIONS)


def _least_ctr(counts: PlaceCounts, rule: GeoClickBurst) -> float:
    return max(rule.min_ctr, min(1.0, rule.ctr_factor * _baseline_ctr(counts)) * 0.9)


def _more(counts: PlaceCounts, rule: GeoClickBurst) -> int:
    """Of a rate that is too low: so many further clicks at least make it high enough."""
    clicks, more, least = counts.window_clicks - counts.top_device_clicks, 1, _least_ctr(counts, rule)
    while more < _MOST_LEFT and wilson_lower(clicks + more, max(counts.window_impressions, clicks + more)) < least:
        more *= 2
    return more // 2 + 1


def expected(counts: PlaceCounts, rule: GeoClickBurst) -> float:
    """Clicks in the window, by the place's past."""
    return counts.baseline_clicks * rule.window_s / rule.baseline_s
