"""click_without_impression: one device clicks what it was never shown.

Statistic: orphans in a sliding window. A click is explained by an impression with its activity_id; what is left of a
campaign's clicks is explained by impressions of that campaign on that device, each explaining one click, back to
`horizon_s` before the window. Clicks younger than `grace_s` wait, since their impression may be on its way. At least
`floor` orphans and `min_share` of the device's clicks. A click needs an ad in view (MRC click measurement guidelines);
flooding clicks without serving anything is click spamming. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sori.settings.rules import ClickWithoutImpression
from streams.rules.judgement import Judgement, guilty

NAME = "click_without_impression"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"


def lookback_ms(rule: ClickWithoutImpression, window_ms: int) -> int:
    """How far before the end of its window the rule reads, CTR windows being read whole."""
    return (rule.window_s + rule.horizon_s) * 1000 + window_ms


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
    return guilty(found, 0.0, rule.floor, clicks=clicks)
