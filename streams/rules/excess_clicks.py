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
stretches: a spot in it is over); how many the usual ones are varies by chance, as much as from minute to minute of the
past, and is taken for as much more variance of the rate. They are taken for more where clicks elsewhere in the account
lack their impression more often than before: then the account's impressions are lost. The window ends `wait_s` ago,
when what is late has come; what comes later still takes a finding back. A quarter and a half of the window are judged
`quick_wait_s` later already, by the first alone (impressions that are late or lost take from clicks that have theirs as
well), and with 99 % in the stead of 95: they are more judgements. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, median, variance
from typing import Literal, NamedTuple

from sori.settings.rules import ExcessClicks
from streams.rules.click_view import Grid
from streams.rules.explained_clicks import Clicked
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import Z95, Z99, poisson_tail, wilson

NAME = "excess_clicks"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["either"] = "either"
ASKED = "minutes"
CORRECTABLE = True
#: Clicks elsewhere from which it is asked whether the account's impressions are lost.
_ENOUGH = 20
#: Stretches of the past, of which a spot or two fill less than a half.
_STRETCHES = 6
#: What is quick: parts of the window.
_PARTS = (4, 2)
MINUTE_MS = 60_000
#: Nobody's account is believed to click more because others are attacked: of a spot people click a twelfth.
MOST_BELIEVED = 0.08
#: A spot in the past scatters more, and says nothing of what is usual.
_MOST_SCATTER = 2.0


class Span(NamedTuple):
    """A stretch that is judged, the past it is held against, and how long ago it ends, seconds."""

    window_s: int
    baseline_s: int
    wait_s: int

    @property
    def lookback_ms(self) -> int:
        """How far back it reads."""
        return (self.wait_s + self.window_s + self.baseline_s) * 1000


def spans(rule: ExcessClicks, pane_ms: int) -> list[Span]:
    """The quick ones first: a quarter and a half of the window, with a past half as long again, then all of it."""
    pane_s = max(1, pane_ms // 1000)
    parts = [rule.window_s // part // pane_s * pane_s for part in _PARTS]
    wait_s = min(rule.quick_wait_s, rule.wait_s)
    quick = [Span(part, min(rule.baseline_s, 3 * part // 2 // pane_s * pane_s), wait_s) for part in parts]
    return [*(span for span in quick if span.window_s), Span(rule.window_s, rule.baseline_s, rule.wait_s)]


def lookback_ms(rule: ExcessClicks, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max(span.lookback_ms for span in spans(rule, grid.pane_ms))


def least_lookback_ms(rule: ExcessClicks, grid: Grid) -> int:
    """How far its quickest judgement reads."""
    return min(span.lookback_ms for span in spans(rule, grid.pane_ms))


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
    scatter: float = 1.0


def evaluate(view: PlaceView, rule: ExcessClicks) -> PlaceFinding | None:
    """Judge a subject as of a pane that began: each stretch of which everything is there."""
    for span in spans(rule, view.pane_ms):
        if view.end_ms - span.lookback_ms >= view.exact_ms and (found := _judge_span(view, rule, span)):
            return found
    return None


def _judge_span(view: PlaceView, rule: ExcessClicks, span: Span) -> PlaceFinding | None:
    end = view.end_ms - span.wait_s * 1000
    begin = end - span.window_s * 1000
    window = [sums for sums in view.between(begin, end) if sums.details is not None]
    devices = sum([sums.clicking_devices for sums in window])
    if devices < rule.floor:
        return None
    past_ms = begin - span.baseline_s * 1000
    past = view.between(past_ms, begin)
    before = sum([sums.clicking_devices for sums in past if sums.details is not None])
    if devices - before * span.window_s / span.baseline_s < rule.floor:
        return None  # as nearly always, and the rest costs more
    clicked, earlier = Clicked.of(window, view.known(begin, end)), Clicked.of(past, view.known(past_ms, begin))
    shown, known = clicked.best
    shown_before = view.impressions(past_ms, begin)
    at_most = ExcessCounts(
        clicked.devices,
        sum(view.impressions(begin, end)),
        shown / known if known else 0.0,
        known,
        before,
        sum(shown_before),
        earlier.best[0] / earlier.best[1] if earlier.best[1] else 0.0,
        span.window_s / span.baseline_s,
        believed_ctr=0.0,
        steady=steady(shown_before),
        scatter=scatter(shown_before, MINUTE_MS // view.pane_ms),
    )
    by_loss = span.window_s == rule.window_s
    if judge(at_most, rule, by_loss=by_loss) is None:
        return None  # whatever is usual elsewhere, and that costs more
    believed, kept = _account(view, past_ms, begin, end, rule)
    found = judge(replace(at_most, believed_ctr=believed, kept=kept), rule, by_loss=by_loss)
    return PlaceFinding(found, begin, view.between(begin, end), end) if found else None


def scatter(shown: Sequence[int], width: int) -> float:
    """Variance of impressions per minute by their mean, one at least: people come with several each."""
    minutes = [sum(shown[at : at + width]) for at in range(0, len(shown) - width + 1, max(1, width))]
    if len(minutes) < 3:
        return 1.0
    return min(_MOST_SCATTER, max(1.0, variance(minutes) / max(mean(minutes), 1e-9)))


def steady(shown: Sequence[int]) -> float:
    """Of impressions in panes, the part that comes all the time: the median stretch's, so that a spot's do not count.

    What had come at once is gone, and makes no room for what comes now.
    """
    length = max(1, -(-len(shown) // _STRETCHES))
    stretches = [sum(shown[at : at + length]) / len(shown[at : at + length]) for at in range(0, len(shown), length)]
    total = sum(shown)
    return min(1.0, median(stretches) * len(shown) / total) if total else 1.0


def judge(counts: ExcessCounts, rule: ExcessClicks, *, by_loss: bool = True) -> Judgement | None:
    """Judge what is on top of the usual; `by_loss`: also clicks that lack their impression."""
    prior = rule.prior_impressions
    rate = (counts.past_devices + prior * counts.believed_ctr) / (counts.past_impressions + prior)
    usual_shown = min(counts.past_impressions * counts.part, float(counts.impressions))
    expected = max(rate * counts.impressions, counts.past_devices * counts.part)
    usual = max(rate * usual_shown, counts.past_devices * counts.part)
    more = counts.devices - usual
    if more < rule.floor or poisson_tail(counts.devices, expected) > rule.max_p:
        return None
    z = Z95 if by_loss else Z99
    clicked = rate_on_top(more, counts, rule.min_ctr, z)
    if clicked < rule.min_ctr:
        return None
    _, upper = wilson(counts.shown * counts.known, counts.known)
    shown = min(more, max(0.0, counts.devices * counts.shown - usual * counts.past_shown))
    if rate_on_top(shown, counts, rule.min_ctr, z) < rule.min_ctr and (upper >= rule.min_shown or not by_loss):
        return None
    details = {"ctr_lower": round(clicked, 4), "baseline_ctr": round(rate, 4), "shown_share": round(counts.shown, 4)}
    return exceeded(round(more), expected, rule.floor, **details)


def rate_on_top(clicks: float, counts: ExcessCounts, least: float, z: float = Z95) -> float:
    """Lower bound of the rate of what is on top: `least` or more where such a rate is surpassed by no chance.

    Clicks vary as a share does (Wilson), and how many impressions are on top as much as the usual ones do, now and
    in the past. Both at once, not one after the other: what both may have taken is more seldom than either.
    """
    before = counts.past_impressions * counts.part
    more_shown = max(0.0, counts.impressions - before * counts.steady) / counts.kept
    trials = max(clicks, more_shown)
    if not trials:
        return 0.0
    noise = before * (1 + counts.part) * counts.scatter / counts.kept**2
    # as of fewer trials, by as much as the usual ones add to the variance
    weight = trials / (trials + noise * least / (1 - least)) if least < 1 else 0.0
    return wilson(clicks * weight, trials * weight, z)[0]


def _account(view: PlaceView, past_ms: int, begin_ms: int, end_ms: int, rule: ExcessClicks) -> tuple[float, float]:
    """What rate to believe of a subject without a past, and how many of the account's impressions come."""
    before, now = view.of_account(past_ms, begin_ms), view.of_account(begin_ms, end_ms)
    own_before, own_now = view.between(past_ms, begin_ms), view.between(begin_ms, end_ms)
    rate = believed(view, past_ms, begin_ms, rule.prior_impressions)
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


def believed(view: PlaceView, begin_ms: int, end_ms: int, prior: int) -> float:
    """The account's rate, or everybody's where that is not known, of clicks on what was shown.

    Told is of panes in which a source has such a click, so one of each is certain whatever the rate, and left out.
    Clicks that nobody was shown say nothing of what people do, and would let one flood hide all others.
    """
    own, everybody = view.of_account(begin_ms, end_ms), view.of_everybody(begin_ms, end_ms)
    pooled = max(0, everybody.shown - everybody.answered), max(0, everybody.impressions - everybody.answered)
    rate = min(MOST_BELIEVED, (pooled[0] + 1) / (pooled[1] + prior))
    return min(
        1.0, (max(0, own.shown - own.answered) + prior * rate) / (max(0, own.impressions - own.answered) + prior)
    )
