"""geo_auth_burst: devices of one place sign in, one after the other, and do nothing else.

Credential stuffing comes in waves of many devices that try once each (OWASP Automated Threats, OAT-008), which no rule
about one device sees. People who sign in go on: impressions follow. Statistic: devices that signed in, each once in
its CTR window, at least `factor` times as many as before (an upper bound of that), and as much more than before as in
no other place of the account, and at least `min_part` of what is on top of the usual in all the account (Wilson 1927,
lower bound): so a release that signs everybody out accuses nobody, nor does it where it is noon. And of what came on
top of the place's usual, sign-ins and impressions from the first of them on, sign-ins are at least `min_share`
(likewise; impressions with twice their standard deviation): so an office at nine and doors that open do not. Where
hardly anything else ever came than sign-ins, nothing is judged. At least `quick_floor` devices within the quick window,
when the impressions that follow have had as long as an event may be on its way; or `floor`, when they have had
`wait_s`: those of an aired spot may be late. What comes later still takes a finding back. Places whose country is not
known are not judged. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from sori.events import AUTHENTICATION
from sori.settings.rules import GeoAuthBurst
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import wilson

NAME = "geo_auth_burst"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["place"] = "place"
JUDGES: tuple[str, ...] = (AUTHENTICATION,)
ASKED = "sign_ins"
CORRECTABLE = True


def lookback_ms(rule: GeoAuthBurst, grid: Grid) -> int:
    """How far before the end of its window the rule reads."""
    waits = -(-grid.grace_ms // grid.pane_ms) * grid.pane_ms
    longest = max(rule.quick_window_s * 1000 + waits, rule.window_s * 1000 + max(rule.wait_s * 1000, waits))
    return longest + rule.baseline_s * 1000


@dataclass(frozen=True, slots=True)
class SignInCounts:
    """Devices that signed in, and impressions; `past`: in the baseline before. `growth`: of the other places' sign-ins.

    `part`, `shown_part`: how long the window is, and that of the impressions, beside the baseline.
    """

    devices: int
    impressions: int
    past_devices: int
    past_impressions: int
    growth: float
    part: float
    shown_part: float


def evaluate(view: PlaceView, rule: GeoAuthBurst) -> PlaceFinding | None:
    """Judge a place as of a pane in which somebody signed in, or which began."""
    arrived = view.arrived_ms
    spans = (
        (rule.quick_window_s, arrived, rule.quick_floor),
        (rule.window_s, min(arrived, view.end_ms - rule.wait_s * 1000), rule.floor),
    )
    for window_s, end, floor in spans:
        begin = end - window_s * 1000
        window = view.between(begin, end)
        devices = sum([sums.signed_in for sums in window])
        if devices < floor:
            continue
        past_ms = begin - rule.baseline_s * 1000
        past = view.between(past_ms, begin)
        counts = SignInCounts(
            devices,
            sum(view.impressions(begin, view.end_ms)),
            sum(sums.signed_in for sums in past),
            sum(sums.impressions for sums in past),
            growth_elsewhere(view, past_ms, begin, end),
            window_s / rule.baseline_s,
            (view.end_ms - begin) / (rule.baseline_s * 1000),
        )
        found = judge(counts, floor, rule)
        if found and part_of_account(view, past_ms, begin, end, found.observed - found.expected) >= rule.min_part:
            return PlaceFinding(found, begin, window)
    return None


def part_of_account(view: PlaceView, past_ms: int, begin_ms: int, end_ms: int, more: float) -> float:
    """Of what signs in on top of the usual in all the account, the place's part: Wilson's lower bound.

    Usual elsewhere is the fewest of any earlier stretch as long: the beginning of a wave is not. Twice its standard
    deviation is left out: steady traffic may have that on top.
    """
    now, panes = _others(view, begin_ms, end_ms)
    length_ms = end_ms - begin_ms
    before = [_others(view, end - length_ms, end) for end in range(begin_ms, past_ms + length_ms - 1, -length_ms)]
    usual = panes * min([devices / known for devices, known in before if known], default=0.0)
    elsewhere = max(0.0, now - usual - 2 * sqrt(usual))
    return wilson(more, more + elsewhere)[0]


def growth_elsewhere(view: PlaceView, past_ms: int, begin_ms: int, end_ms: int) -> float:
    """How many times as many sign in elsewhere as did, per pane of which it is known; at least once.

    Where nothing is known of before, nobody did: a place that hears of others only now takes all of them for new.
    """
    (now, panes), (before, known) = _others(view, begin_ms, end_ms), _others(view, past_ms, begin_ms)
    usual = before * panes / known if known else 0.0
    return max(1.0, (now + 1) / (usual + 1))


def _others(view: PlaceView, begin_ms: int, end_ms: int) -> tuple[int, int]:
    """Devices that signed in in other places, and the panes of which that is told: to the place, or to all."""
    found, panes = 0, 0
    for start in range(begin_ms, end_ms, view.pane_ms):
        sums, pane = view.series.get(start), view.panes.get(start)
        own = None if sums is None else sums.sign_ins
        everywhere = max(0 if own is None else own.everywhere, 0 if pane is None else pane.signed_in(view.account))
        if everywhere:
            found += max(0, everywhere - (0 if own is None else own.devices))
            panes += 1
    return found, panes


def judge(counts: SignInCounts, floor: int, rule: GeoAuthBurst) -> Judgement | None:
    """Judge a place's sign-ins against its past, the other places, and what followed."""
    expected = counts.past_devices * counts.part
    most = _upper(counts.past_devices) * counts.part
    if counts.devices < max(floor, rule.factor * counts.growth * most):
        return None
    if wilson(counts.past_devices, counts.past_devices + counts.past_impressions)[0] >= rule.min_share:
        return None
    shown = max(0.0, counts.impressions - counts.past_impressions * counts.shown_part)
    shown += 2 * sqrt(counts.past_impressions * counts.shown_part)
    more = counts.devices - expected
    lower = wilson(more, more + shown)[0]
    if lower < rule.min_share:
        return None
    return exceeded(counts.devices, expected, floor, sign_in_share=round(lower, 4), growth=round(counts.growth, 2))


def _upper(count: int) -> float:
    """Of a count, what it may be in the long run."""
    return count + 2 * sqrt(count) + 1
