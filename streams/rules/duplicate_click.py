"""duplicate_click: one device clicks the same creative again and again within seconds.

Statistic: repeats in a sliding window. A repeat is a click, with an identity of its own, on the campaign and material
of another click of that device at most `gap_ms` before. Deliveries of one event that a sender repeats share their
identity and never get here. Click duplication made 40 of the 118 features of the FDMA 2012 winner; Adjust calls it
hyper-engagement. A double tap is one repeat: hence the floor. What a device did offline is stamped with the second in
which it was sent: repeats must lie in half as many different seconds. Some SDKs report each tap twice: of two clicks
within half a second one is an echo. Of an id that many people share nothing is said (shared_ids), nor of one that was
shown a campaign as often as it clicked it: each click has a banner of its own, and rules about rates judge it. MRC
invalid traffic: GIVT, activity-based filtration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal

from sori.settings.rules import DuplicateClick
from streams.rules.click_view import ClickView, Exceeded, Grid, Repeats, Verdict
from streams.rules.judgement import Judgement, exceeded
from streams.rules.shared_ids import READS_WINDOWS, clicks_of_many
from streams.state.counters import Click

NAME = "duplicate_click"
TRAFFIC_CLASS: Literal["GIVT"] = "GIVT"
COUNTS_ALL = False
WAITS = False
_time = attrgetter("time_ms")
#: An SDK that reports a tap twice does so this soon; no finger is as fast twice in a row.
ECHO_MS = 500


def lookback_ms(rule: DuplicateClick, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    return max(rule.window_s * 1000 + grid.window_ms, READS_WINDOWS * grid.window_ms)


def reads_from_ms(end_ms: int, rule: DuplicateClick, grid: Grid) -> int:
    """Start of the first pane it reads."""
    return end_ms - lookback_ms(rule, grid)


def evaluate(view: ClickView, rule: DuplicateClick) -> Verdict:
    """Judge a device after a click."""
    begin = view.end_ms - rule.window_s * 1000
    kept = view.kept(begin)
    if len(kept) <= rule.floor:
        return Repeats(-(-(rule.floor + 1 - len(kept)) // 2))  # no more of these repeat one another
    # one click between two others repeats the one and is repeated by the other
    if (left := rule.floor - near(kept, rule.gap_ms)) > 1:
        return Repeats(-(-left // 2))
    times = repeated(kept, rule.gap_ms)
    if (found := _judge(times, rule)) and not clicks_of_many(view) and not shown_each(view, begin, kept):
        return Exceeded(found, begin, kept)
    return max(1, -(-(rule.floor - len(times)) // 2))


def shown_each(view: ClickView, begin_ms: int, clicks: Iterable[Click]) -> bool:
    """Whether it was shown the campaigns that it clicked more than once as often as it clicked them: by no means the
    same banner, then.
    """
    clicked = Counter([click.campaign for click in clicks])
    again = [campaign for campaign, count in clicked.items() if count > 1]
    shown = view.impressions(again, view.shown_in(begin_ms - begin_ms % view.store.window_ms))
    return all(shown[campaign] >= clicked[campaign] for campaign in again)


def near(clicks: Iterable[Click], gap_ms: int) -> int:
    """How many follow one on the same creative within the gap, echoes too: no fewer than are `repeated`, now and when
    the oldest have left the window.
    """
    latest: dict[tuple[str, str], int] = {}
    found = 0
    for click in sorted(clicks, key=_time):
        creative = click.campaign, click.material
        found += click.time_ms - latest.get(creative, -gap_ms - 1) <= gap_ms
        latest[creative] = click.time_ms
    return found


def repeated(clicks: Iterable[Click], gap_ms: int) -> list[int]:
    """When taps follow one on the same creative within the gap."""
    latest: dict[tuple[str, str], tuple[int, bool]] = {}
    found = []
    for time_ms, creative in sorted([(click.time_ms, (click.campaign, click.material)) for click in clicks]):
        before, echoed = latest.get(creative, (None, False))
        if before is not None and time_ms - before < ECHO_MS and not echoed:
            latest[creative] = (before, True)
            continue
        if before is not None and time_ms - before <= gap_ms:
            found.append(time_ms)
        latest[creative] = (time_ms, False)
    return found


def judge(clicks: Iterable[Click], rule: DuplicateClick) -> Judgement | None:
    """Judge a device's clicks in the window."""
    return _judge(repeated(clicks, rule.gap_ms), rule)


def _judge(times_ms: Sequence[int], rule: DuplicateClick) -> Judgement | None:
    if len(times_ms) < rule.floor or 2 * len({time_ms // 1000 for time_ms in times_ms}) < rule.floor:
        return None
    return exceeded(len(times_ms), 0.0, rule.floor)
