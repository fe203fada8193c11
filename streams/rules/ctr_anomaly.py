"""ctr_anomaly: the click-through rate of a campaign is far above its own past; geo_ctr_anomaly: that of a place.

This is what finds many devices of which each clicks modestly: no device stands out, and no rate of clicks does where
traffic is heavy, but the clicks have no impressions to match. Statistic: Wilson's (1927) lower bound of the window's
rate against `factor` times the upper bound of the past's, so that small numbers on either side never decide; a past
too small to tell is taken for at most `usual_ctr`. The busiest device is left out, since one device's flood is a
matter of the device rules, and at least `min_devices` must have clicked. A click comes after its impression, so the
impressions are those of the fullest window of the same length that ends up to `impression_lag_s` earlier, and the past
ends where that begins: the last clicks of an aired spot are held against the spot's impressions, which are not also
held against the past, and steady traffic is held against little more than it was shown. Two windows are judged: in the
quick one a flood outweighs the impressions before it sooner, the long one finds floods too slow for it. Clicks that
were each shown to their device first, one each, are no anomaly: see explained_clicks. Branch counts
ten times the clicks for similar conversions as fraud; Adjust and AppsFlyer compare conversion rates the same way. MRC
invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal

from sori.settings.rules import CtrRule
from streams.rules.click_view import Grid
from streams.rules.explained_clicks import explained, reads_s, told_airing
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import Lacking, PlaceFinding, PlaceView
from streams.rules.statistics import wilson
from streams.state.place_panes import SubjectSums

NAME = "ctr_anomaly"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["campaign"] = "campaign"
CORRECTABLE = True


def lookback_ms(rule: CtrRule, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    longest = max(windows_s(rule))
    return max(longest + max(rule.baseline_s, rule.impression_lag_s), reads_s(longest, rule.airing_s)) * 1000


def windows_s(rule: CtrRule) -> tuple[int, ...]:
    """Lengths of the windows to judge, the quick one first."""
    quick, window = rule.quick_window_s, rule.window_s
    return (window,) if quick == window else (min(quick, window), max(quick, window))


def fullest_window(impressions: Sequence[int], length: int) -> tuple[int, int]:
    """Which `length` successive panes have the most impressions: how many panes before the last ones, and their sum.

    `impressions` counts each pane's, oldest first. Of equals it is the latest.
    """
    total = most = sum(impressions[-length:])
    back = 0
    for steps in range(1, len(impressions) - length + 1):
        total += impressions[-length - steps] - impressions[-steps]
        if total > most:
            back, most = steps, total
    return back, most


@dataclass(frozen=True, slots=True)
class RateCounts:
    """Counts of one subject in the window, and in the past before it; `impressions` are the fullest_window()'s."""

    clicks: int
    top_device_clicks: int
    clicking_devices: int
    impressions: int
    past_clicks: int
    past_impressions: int


def stands_out(clicks: int, impressions: int, rule: CtrRule) -> bool:
    """Whether the past matters: below this no rate exceeds the rule, which spares reading the past of nearly all."""
    if clicks < rule.floor or clicks < rule.min_ctr * impressions:
        return False  # no bound from below is above the rate itself
    return wilson(clicks, max(impressions, clicks))[0] >= rule.min_ctr


def evaluate(view: PlaceView, rule: CtrRule) -> PlaceFinding | Lacking | None:
    """Judge a subject as of a pane that got clicks."""
    left = inf
    for window_s in windows_s(rule):
        begin = view.end_ms - window_s * 1000
        window = view.between(begin, view.end_ms)
        counts = _counts(view, window, window_s, rule)
        if isinstance(counts, Lacking):
            left = min(left, counts.clicks)
            continue
        left, found = 0, judge(counts, rule)
        if found is not None and not explained(view, begin, counts.impressions, rule.airing_s):
            return PlaceFinding(found.with_details(**told_airing(view, rule.airing_s)), begin, window)
    return Lacking(left) if left else None


def _counts(view: PlaceView, window: Sequence[SubjectSums], window_s: int, rule: CtrRule) -> RateCounts | Lacking:
    """Of one window and its past; or what it lacks to stand out."""
    begin = view.end_ms - window_s * 1000
    clicks = sum(sums.clicks for sums in window)
    if clicks < rule.floor:
        return Lacking(rule.floor - clicks)
    top = sum(sums.top_device_clicks for sums in window)
    if not stands_out(clicks - top, impressions := sum(sums.impressions for sums in window), rule):
        return _lacking(clicks - top, impressions, rule)  # nor would it against the impressions of a fuller window
    shown = view.impressions(begin - rule.impression_lag_s * 1000, view.end_ms)
    back, impressions = fullest_window(shown, window_s * 1000 // view.pane_ms)
    if not stands_out(clicks - top, impressions, rule):
        return _lacking(clicks - top, impressions, rule)
    clicking_devices = sum(sums.clicking_devices for sums in window)
    if clicking_devices < rule.min_devices:
        return Lacking(rule.min_devices - clicking_devices)
    past = view.between(begin - rule.baseline_s * 1000, begin - back * view.pane_ms)
    return RateCounts(
        clicks=clicks,
        top_device_clicks=top,
        clicking_devices=clicking_devices,
        impressions=impressions,
        past_clicks=sum(sums.clicks for sums in past),
        past_impressions=sum(sums.impressions for sums in past),
    )


def _lacking(clicks: int, impressions: int, rule: CtrRule) -> Lacking:
    """How far clicks that do not stand out are from the rate itself."""
    return Lacking(max(1, ceil(max(rule.floor, rule.min_ctr * impressions)) - clicks))


def judge(counts: RateCounts, rule: CtrRule) -> Judgement | None:
    """Judge a subject's rate in the window against its past."""
    clicks = counts.clicks - counts.top_device_clicks
    if clicks < rule.floor or counts.clicking_devices < rule.min_devices:
        return None
    lower, _ = wilson(clicks, max(counts.impressions, clicks))
    past_rate = counts.past_clicks / counts.past_impressions if counts.past_impressions else 0.0
    _, past_upper = wilson(counts.past_clicks, counts.past_impressions)
    usual = min(past_upper, max(rule.usual_ctr, past_rate))
    if lower < max(rule.min_ctr, min(0.9, rule.factor * usual)):
        return None
    details = {"ctr_lower": round(lower, 4), "baseline_ctr": round(past_rate, 4), "believed_ctr": round(usual, 4)}
    return exceeded(clicks, usual * counts.impressions, rule.floor, **details)
