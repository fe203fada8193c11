"""replayed_click: one click, by its activity id, is told by a crowd of devices.

The contract calls the id unique; a recorded click that is sent again as if others had made it keeps it. Deduplication
counts such clicks once a pane and partition, so no rule that counts clicks sees them. Statistic: different devices that
clicked with one id, as hop 1 tells of the first few ids of each pane: at least `floor` within the window. A sender that
numbers its clicks by itself, per device, reuses all of its ids: where more than `max_others` further ids came from
several devices, nobody is accused. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Literal

from sori.settings.rules import ReplayedClick
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.state.place_panes import SubjectSums

NAME = "replayed_click"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["campaign"] = "campaign"
ASKED = "clickers"
CORRECTABLE = False


def lookback_ms(rule: ReplayedClick, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return rule.window_s * 1000


def evaluate(view: PlaceView, rule: ReplayedClick) -> PlaceFinding | None:
    """Judge a campaign as of a pane in which a click came."""
    begin = view.end_ms - rule.window_s * 1000
    window = view.between(begin, view.end_ms)
    newest = [sums for sums in window if sums.clicks][-2:]  # the last pane is asked about when the next one begins
    found = judge(window, [identity for sums in newest for identity in sums.clickers()], rule)
    return PlaceFinding(found, begin, window) if found else None


def judge(window: Sequence[SubjectSums], identities: Sequence[str], rule: ReplayedClick) -> Judgement | None:
    """Judge these ids of clicks by the devices that they came from in all panes."""
    panes = [clickers for sums in window if (clickers := sums.clickers())]
    devices = {identity: _devices(panes, identity) for identity in dict.fromkeys(identities)}
    identity = max(devices, key=lambda one: (devices[one], one), default="")
    if not identity or devices[identity] < rule.floor:
        return None
    others = sum(_devices(panes, one) > 1 for one in _repeated(panes) if devices.get(one, 0) < rule.floor)
    if others > rule.max_others:
        return None
    return exceeded(devices[identity], 1.0, rule.floor, activity_id=identity)


def _repeated(panes: Sequence[dict[str, list[int]]]) -> set[str]:
    """Ids that may be of several devices: of thousands in a busy campaign's window, few."""
    found = {one for clickers in panes for one, told in clickers.items() if len(told) > 1}
    found.update([one for one, in_panes in Counter(chain.from_iterable(panes)).items() if in_panes > 1])
    return found


def _devices(panes: Sequence[dict[str, list[int]]], identity: str) -> int:
    return len({device for clickers in panes if identity in clickers for device in clickers[identity]})
