"""click_without_impression: one device clicks what it was never shown.

Statistic: orphans in a sliding window. A click is explained by an impression with its activity_id; what is left of a
campaign's clicks is explained by impressions of that campaign on that device, each explaining one click, back to
`horizon_s` before the window. Clicks younger than `grace_s` wait, since their impression may be on its way. At least
`floor` orphans and `min_share` of the device's clicks. A click needs an ad in view (MRC click measurement guidelines);
flooding clicks without serving anything is click spamming. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from sori.settings.rules import ClickWithoutImpression
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict
from streams.rules.judgement import Judgement, exceeded
from streams.state.counters import Click

NAME = "click_without_impression"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
COUNTS_ALL = False


def lookback_ms(rule: ClickWithoutImpression, grid: Grid) -> int:
    """How far before the end of its window the rule reads, CTR windows being read whole."""
    return (rule.window_s + rule.horizon_s) * 1000 + grid.window_ms


def reads_from_ms(end_ms: int, rule: ClickWithoutImpression, grid: Grid) -> int:
    """Start of the first window it reads."""
    horizon = end_ms - (rule.window_s + rule.horizon_s) * 1000
    return horizon - horizon % grid.window_ms


def evaluate(view: ClickView, rule: ClickWithoutImpression) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    horizon = reads_from_ms(view.end_ms, rule, Grid(view.store.pane_ms, view.store.window_ms))
    latest = view.time_ms - rule.grace_s * 1000
    all_kept = view.kept(begin)
    kept = [click for click in all_kept if click.time_ms <= latest]
    young = len(all_kept) - len(kept)  # may turn out to be without one, too
    if len(kept) < rule.floor:
        return max(1, rule.floor - len(all_kept))
    matched: Counter[str] = Counter()
    unmatched: Counter[str] = Counter()
    alone: list[Click] = []
    for click, match in view.matched(begin):
        if click.time_ms > latest:
            continue
        if match.explained_ms is None or match.explained_ms < horizon:
            unmatched[click.campaign] += 1
            alone.append(click)
        else:
            matched[click.campaign] += 1
    if len(alone) < rule.floor:
        return max(1, rule.floor - len(alone) - young)
    shown = {campaign: view.impressions(campaign, horizon) for campaign in unmatched}
    found = judge(matched, unmatched, shown, rule)
    return 1 if found is None else Exceeded(found, begin, alone)


def orphans(matched: Mapping[str, int], unmatched: Mapping[str, int], shown: Mapping[str, int]) -> int:
    """Clicks left unexplained, from counts by campaign: clicks with their impression, without it, impressions."""
    return sum(
        max(0, clicks - max(0, shown.get(campaign, 0) - matched.get(campaign, 0)))
        for campaign, clicks in unmatched.items()
    )


def judge(
    matched: Mapping[str, int], unmatched: Mapping[str, int], shown: Mapping[str, int], rule: ClickWithoutImpression
) -> Judgement | None:
    """Judge a device's clicks in the window; see `orphans`."""
    clicks = sum(matched.values()) + sum(unmatched.values())
    found = orphans(matched, unmatched, shown)
    if found < rule.floor or found < rule.min_share * clicks:
        return None
    return exceeded(found, 0.0, rule.floor, clicks=clicks)
