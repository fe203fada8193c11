"""duplicate_click: one device clicks the same creative again and again within seconds.

Statistic: repeats in a sliding window. A repeat is a click, with an identity of its own, on the campaign and material
of another click of that device at most `gap_ms` before. Deliveries of one event that a sender repeats share their
identity and never get here. Click duplication made 40 of the 118 features of the FDMA 2012 winner; Adjust calls it
hyper-engagement. A double tap is one repeat: hence the floor. MRC invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sori.settings.rules import DuplicateClick
from streams.rules.judgement import Judgement, guilty
from streams.state.counters import Click

NAME = "duplicate_click"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"


def lookback_ms(rule: DuplicateClick) -> int:
    """How far before the end of its window the rule reads."""
    return rule.window_s * 1000


def repeats(clicks: Iterable[Click], gap_ms: int) -> int:
    """How many clicks follow one on the same creative within the gap."""
    latest: dict[tuple[str, str], int] = {}
    found = 0
    for time_ms, creative in sorted((click.time_ms, (click.campaign, click.material)) for click in clicks):
        before = latest.get(creative)
        found += before is not None and time_ms - before <= gap_ms
        latest[creative] = time_ms
    return found


def judge(clicks: Iterable[Click], rule: DuplicateClick) -> Judgement | None:
    """Judge a device's clicks in the window."""
    found = repeats(clicks, rule.gap_ms)
    return guilty(found, 0.0, rule.floor) if found >= rule.floor else None
