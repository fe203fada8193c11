"""fast_click: one device clicks sooner after its impressions than a person can.

Statistic: of the clicks in a sliding window whose impression (same activity_id) lies near, how many came within
`too_soon_ms` of it: at least `floor`, and at least `min_share` of them. A time from click to install of a few seconds
is how AppsFlyer tells click hijacking; from banner to tap, nobody reads and reacts within a second. Some senders
write whole seconds: an impression up to one second *after* its click counts as near too. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sori.settings.rules import FastClick
from streams.rules.click_view import ClickView, Exceeded, Grid, Verdict
from streams.rules.judgement import Judgement, exceeded
from streams.state.counters import Click

NAME = "fast_click"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
COUNTS_ALL = False

#: What rounding down to a whole second may take off a click's time.
ROUNDING_MS = 1000
#: An impression this many times `too_soon_ms` before its click is near: the click is one to compare with.
_NEAR = 10


def reach_ms(rule: FastClick) -> int:
    """How far before a click its impression is looked for."""
    return rule.too_soon_ms * _NEAR


def lookback_ms(rule: FastClick, grid: Grid) -> int:
    """How far before the end of its window the rule reads, panes being read whole."""
    return rule.window_s * 1000 + reach_ms(rule) + grid.pane_ms


def reads_from_ms(end_ms: int, rule: FastClick, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - lookback_ms(rule, grid)


def evaluate(view: ClickView, rule: FastClick) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    kept = view.kept(begin)
    if len(kept) < rule.floor:
        return rule.floor - len(kept)
    delays: list[int | None] = []
    fast: list[Click] = []
    for click, match in view.matched(begin):
        delay = None if match.near_ms is None else click.time_ms - match.near_ms
        delays.append(delay)
        if delay is not None and delay < rule.too_soon_ms:
            fast.append(click)
    if len(fast) < rule.floor:
        return rule.floor - len(fast)
    found = judge(delays, rule)
    return 1 if found is None else Exceeded(found, begin, fast)


def judge(delays_ms: Iterable[int | None], rule: FastClick) -> Judgement | None:
    """Judge the delays of a device's clicks in the window; None: no impression near."""
    known = [delay for delay in delays_ms if delay is not None]
    fast = sum(delay < rule.too_soon_ms for delay in known)
    if fast < rule.floor or fast < rule.min_share * len(known):
        return None
    return exceeded(fast, 0.0, rule.floor, median_delay_ms=sorted(known)[len(known) // 2])
