"""device_farm: many devices of one place do the same thing at the same pace.

Behaviour is what a device did in its window up to its first click there: platform, campaign, how many
authentications, impressions and clicks, and how long after the impression the click came, in eighths of a second; two
neighbouring eighths count as one pace, so that no script is split by falling on their border; clicks without an
impression in the same window (by activity id, else the latest of the campaign on the device) say nothing of pace and do
not count (other rules look at them). People
differ in all of that (a delay of five seconds in the median scatters over dozens of such steps, even when a whole
city hears one spot and thousands of devices are new at once); a rack of phones that runs one script does not.
Statistic: devices that share the commonest behaviour: at least `floor`, at least `min_share` of all clicking devices,
and more than the place's own past makes likely (upper Poisson tail at most `max_p`). `quick_part` of the floor is
enough where people do not make it likely either: `people_share` of them have the same behaviour at most (two eighths of
a second hold a twelfth of their log-normal delays, of all platforms), and the binomial tail must be as small. Clicks at
once do not count then, since what was done offline is stamped together. That devices are new is not asked: it does not
tell a farm from an aired spot (figures in docs/fraud.md), and hop 1 forgets a device with its window.
MRC invalid traffic: SIVT (device farms are named there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sori.settings.rules import DeviceFarm
from streams.rules.click_view import Grid
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import ONLY_BEHAVIOURS, Lacking, PlaceFinding, PlaceView
from streams.rules.statistics import binomial_tail, poisson_tail
from streams.state.place_panes import add_counts

NAME = "device_farm"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["place"] = "place"
CORRECTABLE = False
#: Paces are counted in these.
PACE_MS = 125


def lookback_ms(rule: DeviceFarm, grid: Grid) -> int:  # noqa: ARG001 - as of every rule
    """How far before the end of its window the rule reads."""
    return (rule.window_s + rule.baseline_s) * 1000


def evaluate(view: PlaceView, rule: DeviceFarm) -> PlaceFinding | Lacking:
    """Judge a place as of a pane that got clicks."""
    begin = view.end_ms - rule.window_s * 1000
    window = view.between(begin, view.end_ms)
    devices, least = sum(sums.clicking_devices for sums in window), rule.quick_floor
    if devices < least:
        return Lacking(least - devices)
    scripts = add_counts(sums.scripts() for sums in window)
    if 2 * max(scripts.values(), default=0) < least:
        return ONLY_BEHAVIOURS  # two neighbouring paces do not make it either
    past = add_counts(sums.scripts() for sums in view.between(begin - rule.baseline_s * 1000, begin))
    found = judge(scripts, devices, past, rule)
    return PlaceFinding(found, begin, window) if found else ONLY_BEHAVIOURS


def judge(
    scripts: Mapping[str, int], clicking_devices: int, past: Mapping[str, int], rule: DeviceFarm
) -> Judgement | None:
    """Judge the devices per behaviour in the window, and in the baseline before it."""
    scripts, past = joined(scripts), joined(past)
    script, devices = max(scripts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    floor = rule.floor if devices >= rule.floor or script.endswith("|0") else rule.quick_floor
    if devices < floor or devices < rule.min_share * clicking_devices:
        return None
    expected = (1 + max(past.values(), default=0)) * rule.window_s / rule.baseline_s
    if poisson_tail(devices, expected) > rule.max_p:
        return None
    if floor < rule.floor and binomial_tail(devices, max(devices, clicking_devices), rule.people_share) > rule.max_p:
        return None
    return exceeded(devices, expected, floor, behaviour=script, clicking_devices=clicking_devices)


def joined(scripts: Mapping[str, int]) -> dict[str, int]:
    """Devices per behaviour, those of the next pace added."""
    return {script: devices + scripts.get(_slower(script), 0) for script, devices in scripts.items()}


def _slower(script: str) -> str:
    done, _, pace = script.rpartition("|")
    return f"{done}|{int(pace) + 1}" if pace.isdecimal() else ""
