"""excess_clicks: over many minutes, a place or a campaign clicks what nobody was shown, or nearly all that it was.

Finds what is too slow for rules about a minute: a city of devices that click once each and were shown nothing, ids that
are reset, a rack without haste. What is *on top of the usual* is asked, of devices and not of clicks, so a version that
tells each tap twice changes nothing: with fewer clicks than `floor` devices on top nothing is judged. The usual is the
subject's past, and where that is short, the account's and then everybody's: the posterior mean of a click-through rate
under a prior of `prior` impressions (empirical Bayes: Robbins 1956; Casella, "An introduction to empirical Bayes data
analysis", 1985), and so many clicks must be as unlikely as `max_p` (upper Poisson tail). Then either of two: of the
impressions on top, at least `min_ctr` were clicked by devices that had been shown it (people who like a thing click a
half at most); or there are as many clicks as that, and less than `min_shown` of them have an impression of theirs (else
impressions are lost), by Wilson (1927). Impressions on top are those beyond what the past always had (the median of its
stretches: a spot in it is over), taken for as many as chance may have left out, and for more where clicks elsewhere in
the account lack their impression more often than before: then the account's impressions are lost. The window ends
`wait_s` ago, when what is late has come; what comes later still takes a finding back. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Literal

from sori.settings.rules import ExcessClicks
from streams.rules.click_view import Grid
from streams.rules.explained_clicks import Clicked
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import poisson_tail, wilson

NAME = "excess_clicks"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["either"] = "either"
ASKED = "minutes"
CORRECTABLE = True
#: Clicks elsewhere from which it is asked whether the account's impressions are lost.
_ENOUGH = 20
#: Stretches of the past, of which a spot or two fill less than a half.
_STRETCHES = 6


def lookback_ms(rule: ExcessClicks, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return (rule.wait_s + rule.window_s + rule.baseline_s) * 1000


@dataclass(frozen=True, slots=True)
class ExcessCounts:
    """Clicking devices and impressions of the window; `shown`: the share of those devices that was shown its click, as
    far as `known`.

    `past_*` are of the baseline, of which the window is `part`. `believed_ctr`: the prior's mean. `kept`: how many of
    the account's impressions come, beside before. `steady`: the part of `past_impressions` without what came at once.
    """

    devices: int
    impressions: int
    shown: float
    known: int
    past_devices: int
    past_impressions: int
    past_shown: float
    part: float
    believed_ctr: float
    kept: float = 1.0
    steady: float = 1.0


def evaluate(view: PlaceView, rule: ExcessClicks) -> PlaceFinding | None:
    """Judge a subject as of a pane that began."""
    end = view.end_ms - rule.wait_s * 1000
    begin = end - rule.window_s * 1000
    window = [sums for sums in view.between(begin, end) if sums.details is not None]
    devices = sum([sums.clicking_devices for sums in window])
    if devices < rule.floor:
        return None
    past_ms = begin - rule.baseline_s * 1000
    past = view.between(past_ms, begin)
    before = sum([sums.clicking_devices for sums in past if sums.details is not None])
    if devices - before * rule.window_s / rule.baseline_s < rule.floor:
        return None  # as nearly always, and the rest costs more
    clicked, earlier = Clicked.of(window, view.known(begin, end)), Clicked.of(past, view.known(past_ms, begin))
    shown, known = clicked.best
    counts = ExcessCounts(
        clicked.devices,
        sum(view.impressions(begin, end)),
        shown / known if known else 0.0,
        known,
        before,
        sum([sums.impressions for sums in past]),
        earlier.best[0] / earlier.best[1] if earlier.best[1] else 0.0,
        rule.window_s / rule.baseline_s,
        *_account(view, begin, end, rule),
        steady(view.impressions(past_ms, begin)),
    )
    found = judge(counts, rule)
    return PlaceFinding(found, begin, view.between(begin, end), end) if found else None


def steady(shown: Sequence[int]) -> float:
    """Of impressions in panes, the part that comes all the time: the median stretch's, so that a spot's do not count.

    What had come at once is gone, and makes no room for what comes now.
    """
    length = max(1, -(-len(shown) // _STRETCHES))
    stretches = [sum(shown[at : at + length]) / len(shown[at : at + length]) for at in range(0, len(shown), length)]
    total = sum(shown)
    return min(1.0, median(stretches) * len(shown) / total) if total else 1.0


def judge(counts: ExcessCounts, rule: ExcessClicks) -> Judgement | None:
    """Judge what is on top of the usual."""
    prior = rule.prior_impressions
    rate = (counts.past_devices + prior * counts.believed_ctr) / (counts.past_impressions + prior)
    usual_shown = min(counts.past_impressions * counts.part, float(counts.impressions))
    expected = max(rate * counts.impressions, counts.past_devices * counts.part)
    usual = max(rate * usual_shown, counts.past_devices * counts.part)
    more = counts.devices - usual
    if more < rule.floor or poisson_tail(counts.devices, expected) > rule.max_p:
        return None
    before = counts.past_impressions * counts.part
    more_shown = max(0.0, counts.impressions - before * counts.steady)
    more_shown = (more_shown + 2 * sqrt(before)) / counts.kept
    clicked = wilson(more, max(more, more_shown))[0]
    if clicked < rule.min_ctr:
        return None
    _, upper = wilson(counts.shown * counts.known, counts.known)
    shown = min(more, max(0.0, counts.devices * counts.shown - usual * counts.past_shown))
    of_shown = wilson(shown, max(shown, more_shown))[0]
    if of_shown < rule.min_ctr and upper >= rule.min_shown:
        return None
    details = {"ctr_lower": round(clicked, 4), "baseline_ctr": round(rate, 4), "shown_share": round(counts.shown, 4)}
    return exceeded(round(more), expected, rule.floor, **details)


def _account(view: PlaceView, begin_ms: int, end_ms: int, rule: ExcessClicks) -> tuple[float, float]:
    """What rate to believe of a subject without a past, and how many of the account's impressions come."""
    past_ms = begin_ms - rule.baseline_s * 1000
    before, now = view.of_account(past_ms, begin_ms), view.of_account(begin_ms, end_ms)
    own_before, own_now = view.between(past_ms, begin_ms), view.between(begin_ms, end_ms)
    everybody = view.of_everybody(past_ms, begin_ms)
    # clicks that nobody was shown say nothing of what people do, and would let one flood hide all others
    pooled = min(1.0, (everybody.shown + 1) / (everybody.impressions + rule.prior_impressions))
    rate = min(1.0, (before.shown + rule.prior_impressions * pooled) / (before.impressions + rule.prior_impressions))
    others = [
        (
            told.shown - sum([one.shown_devices for one in own]),
            told.devices - sum([one.clicking_devices for one in own]),
        )
        for told, own in ((before, own_before), (now, own_now))
    ]
    (shown_before, devices_before), (shown_now, devices_now) = others
    if min(devices_before, devices_now) < _ENOUGH or shown_before <= 0:
        return rate, 1.0
    return rate, min(1.0, wilson(max(0, shown_now), devices_now)[1] / min(1.0, shown_before / devices_before))
