"""local_ctr: one campaign is clicked by nearly everybody whom it is shown to in one place, and nowhere else.

Finds one hand behind many devices: ids that are reset after each click, racks without haste. Each device clicks once,
after its impression, slowly; but what it is for, a campaign in a city, is clicked far more than people click. That is
looked for as a spatial scan does (Kulldorff, "A spatial scan statistic", 1997): the rate inside beside the rate
outside, for each place that got clicks. Statistic: of the campaign's impressions at the place, over seven CTR windows
and then over more, clicked are at least `min_ctr` (Wilson 1927, lower bound: of what people like they click less than a
half), and the odds of that are `factor` times those of the same campaign elsewhere, and of other campaigns at the
place, of which less than `min_ctr` is clicked; both are believed to be those of `usual_ctr` until they show more (a
beta prior: empirical Bayes). So a push, a giveaway, a spot that people like and an account where everything is clicked
accuse nobody. Clicks without an impression, and second ones of a device, do not count, so that impressions that are
late or lost take from both sides alike; where less than `min_shown` of the clicks have one, nothing is judged. What a
partition tells ends with a click, always, which would count for too much: it is left out of each such sum. What comes
later still takes a finding back. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sori.settings.rules import LocalCtr
from streams.rules.click_view import Grid
from streams.rules.device_hour import odds, usual_odds
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import wilson_lower
from streams.state.local_counts import TOLD_WINDOWS, BySourceOf, LocalCounts, LocalSums
from streams.state.place_panes import SubjectSums

NAME = "local_ctr"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["place"] = "place"
ASKED = "local"
CORRECTABLE = True
#: Clicks that one source tells, from which it is worth asking.
_LEAST_CLICKS = 2
#: Campaigns judged in one go.
_MOST_CAMPAIGNS = 3
#: Impressions that what is usual is believed from, until there are more.
_PRIOR = 10.0


def lookback_ms(rule: LocalCtr, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return rule.window_s * 1000


def stands_out(counts: LocalCounts) -> bool:
    """Whether what one source tells may be part of what is looked for: as good as never where nothing is."""
    impressions, clicks = counts
    return clicks >= _LEAST_CLICKS and impressions <= 2 * clicks + 2


def evaluate(view: PlaceView, rule: LocalCtr) -> PlaceFinding | None:
    """Judge what was clicked at a place in the pane that ends: the campaigns clicked most, of those that stand out."""
    newest = view.series.get(view.end_ms - view.pane_ms)
    clicks = {} if newest is None else _standing_out(newest)
    if not clicks:
        return None
    spans = _spans(rule, view.window_ms)
    panes = told_panes(view, view.end_ms - max(told_ms for told_ms, _ in spans))
    for campaign in sorted(clicks, key=lambda name: (-clicks[name], name))[:_MOST_CAMPAIGNS]:
        for told_ms, read_ms in spans:
            sums = told(view, panes, campaign, view.end_ms - told_ms)
            if found := _judge_span(view, rule, campaign, sums, (told_ms, read_ms)):
                return found
    return None


def _spans(rule: LocalCtr, window_ms: int) -> tuple[tuple[int, int], ...]:
    """Since when what is told of is looked at, and since when that may reach back: the quick one first."""
    longest, reach = rule.window_s * 1000, (TOLD_WINDOWS - 1) * window_ms
    quick = min(TOLD_WINDOWS * window_ms, longest)
    return (quick, min(quick + reach, longest)), (max(quick, longest - reach), longest)


def _standing_out(sums: SubjectSums) -> dict[str, int]:
    """Clicks of campaigns of which a source's counts stand out."""
    told = {name: [counts for _, counts in by_source] for name, by_source in sums.local().items()}
    return {name: sum([clicks for _, clicks in found]) for name, found in told.items() if any(map(stands_out, found))}


def told_panes(view: PlaceView, begin_ms: int) -> list[tuple[int, BySourceOf]]:
    """What was told in each pane since then, the newest first: listed once for all campaigns and spans."""
    get, found = view.series.get, list[tuple[int, BySourceOf]]()
    for start in range(view.end_ms - view.pane_ms, begin_ms - view.pane_ms, -view.pane_ms):
        sums = get(start)
        if sums is not None and sums.details is not None and (local := sums.local()):
            found.append((start, local))
    return found


def _judge_span(
    view: PlaceView, rule: LocalCtr, campaign: str, sums: LocalSums, span_ms: tuple[int, int]
) -> PlaceFinding | None:
    since, begin = (view.end_ms - ms for ms in span_ms)
    if sums.clicks < rule.floor or wilson_lower(sums.clicks, max(sums.clicks, sums.impressions)) < rule.min_ctr:
        return None
    shown = shown_share(view, campaign, begin)
    if shown < rule.min_shown:
        return None
    taps = sums.clicks * shown
    # all of the place's, also what a partition told of before: it is not elsewhere
    own = max(taps, _shown(view.between(begin, _until(view)), campaign)[0])
    usual = usual_of(view, rule, campaign, (own, sums.impressions + own - taps), begin)
    found = judge(taps, max(taps, sums.impressions), usual, rule)
    if found is None:
        return None
    return PlaceFinding(found.with_details(campaign=campaign), since, view.between(since, view.end_ms))


def judge(taps: float, impressions: float, usual: float, rule: LocalCtr) -> Judgement | None:
    """Judge taps among impressions beside the odds that are usual."""
    lower = wilson_lower(taps, impressions)
    if taps < rule.floor or lower < rule.min_ctr or usual >= odds(rule.min_ctr):
        return None
    if odds(lower) < rule.factor * usual:
        return None
    rate = usual / (1 + usual)
    details = {"ctr_lower": round(lower, 4), "usual_ctr": round(rate, 4), "local_impressions": round(impressions)}
    return exceeded(round(taps), round(rate * impressions, 1), rule.floor, **details)


def told(view: PlaceView, panes: Iterable[tuple[int, BySourceOf]], campaign: str, begin_ms: int) -> LocalSums:
    """What is known of a campaign at the place since then: of each source its newest sum, then what ends before it.

    `panes`: by their start, the newest first.
    """
    impressions = clicks = count = 0
    free: dict[int, int] = {}
    length_ms = (TOLD_WINDOWS - 1) * view.window_ms
    for start, local in panes:
        if start < begin_ms:
            break
        window = start - start % view.window_ms
        for source, (shown, clicked) in local.get(campaign, ()):
            if window < free.get(source, view.end_ms):
                free[source] = window - length_ms
                # it ends with a click
                clicks += clicked - 1
                impressions += max(shown, clicked) - 1
                count += 1
    return LocalSums(impressions, clicks, count)


def _until(view: PlaceView) -> int:
    """The end of the pane's CTR window: what is told when it came late is of the whole window."""
    last = view.end_ms - view.pane_ms
    return last - last % view.window_ms + view.window_ms


def shown_share(view: PlaceView, campaign: str, begin_ms: int) -> float:
    """Of clicks on a campaign at the place, the share of first ones in their pane, by who had been shown it.

    Clicks early in a CTR window may belong to impressions of the one before: they count where most are.
    """
    late = _shown(view.known(begin_ms, _until(view)), campaign)
    both = _shown(view.between(begin_ms, _until(view)), campaign)
    shown, clicks = late if 2 * late[1] >= both[1] else both
    return min(1.0, shown / clicks) if clicks else 0.0


def _shown(window: Sequence[SubjectSums], campaign: str) -> tuple[float, int]:
    """Devices that did what shows that they were shown the campaign, and all clicks on it."""
    shown, clicks, ending = 0.0, 0, f"|{campaign}"
    for sums in window:
        of_campaign = sums.campaigns().get(campaign, 0)
        if of_campaign:
            scripts = sums.scripts()
            own = sum([devices for script, devices in scripts.items() if script.rsplit("|", 2)[0].endswith(ending)])
            # of many behaviours only the commonest are told
            shown += own * sums.shown_devices / max(1, sum(scripts.values()))
            clicks += of_campaign
    return shown, clicks


def usual_of(view: PlaceView, rule: LocalCtr, campaign: str, own: tuple[float, float], begin_ms: int) -> float:
    """The greater of two odds: the campaign's elsewhere, and those of other campaigns at the place.

    `own`: taps and impressions of the campaign at the place.
    """
    window = view.between(begin_ms, _until(view))
    at_place = sum([one.shown_devices for one in window]), sum([one.impressions for one in window])
    found = []
    for shown, impressions, alone in (elsewhere(view, campaign, begin_ms), (*at_place, 0)):
        taps = max(0.0, shown - own[0])
        left_out = min(taps, alone)
        others = max(0.0, impressions - own[1] - taps)
        found.append(usual_odds(taps - left_out, others, rule.usual_ctr, _PRIOR))
    return max(found)


def elsewhere(view: PlaceView, campaign: str, begin_ms: int) -> tuple[int, int, int]:
    """What all sources tell of a campaign: devices that clicked what they were shown, impressions, and how often they
    told for the sake of clicks that were not at this place.

    They tell of panes with clicks only, so each such pane has one for certain, whatever the rate; it would count for
    too much, as at the place.
    """
    shown = impressions = alone = 0
    for start in range(begin_ms, _until(view), view.pane_ms):
        pane = view.panes.get(start)
        sources = {} if pane is None else pane.totals.get(view.account, {})
        told = [one for of_source in sources.values() if (one := of_source.get(campaign)) is not None]
        if told:
            shown += sum([one.shown for one in told])
            impressions += sum([one.impressions for one in told])
            at_place = view.series.get(start)
            clicks = 0 if at_place is None else at_place.campaigns().get(campaign, 0)
            alone += max(0, sum([one.shown > 0 for one in told]) - clicks)
    return shown, impressions, alone
