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
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict
from streams.rules.judgement import Judgement, exceeded
from streams.state.counters import Click

NAME = "duplicate_click"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
COUNTS_ALL = False
WAITS = False


def lookback_ms(rule: DuplicateClick, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return rule.window_s * 1000


def reads_from_ms(end_ms: int, rule: DuplicateClick, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - lookback_ms(rule, grid)


def evaluate(view: ClickView, rule: DuplicateClick) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    kept = view.kept(begin)
    if len(kept) <= rule.floor:
        return rule.floor + 1 - len(kept)
    found = repeats(kept, rule.gap_ms)
    if found >= rule.floor:
        return Exceeded(exceeded(found, 0.0, rule.floor), begin, kept)
    return -(-(rule.floor - found) // 2)  # one click between two others repeats the one and is repeated by the other


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
    return exceeded(found, 0.0, rule.floor) if found >= rule.floor else None
