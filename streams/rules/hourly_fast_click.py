"""hourly_fast_click: one device clicks now and then, each time sooner after its impression than a person can.

As fast_click, for a script on a phone that injects a click every minute or two beside what its owner does (AppsFlyer on
click injection): few within any minute, but over an hour no person's fingers. Statistic: different seconds with clicks
within a second of their impression, over ten minutes or the hour, at least `floor`; Wilson's (1927) lower bound of
their share of the clicks whose impression is near is at least `min_share`. Accidental taps are a few in a hundred, and
what was done offline is stamped with one second. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from sori.settings.rules import HourlyFastClick
from streams.rules import device_hour
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import wilson_lower
from streams.state.device_habits import HourOfHabits

NAME = "hourly_fast_click"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["device"] = "device"
ASKED = "device"
COUNTED = "fast"
CORRECTABLE = False

lookback_ms = device_hour.lookback_ms


def evaluate(view: PlaceView, rule: HourlyFastClick) -> PlaceFinding | None:
    """Judge a device as of a window of which more was told."""
    return device_hour.evaluate(view, rule, (COUNTED, rule.floor), partial(judge, rule=rule))


def judge(hour: HourOfHabits, rule: HourlyFastClick) -> Judgement | None:
    """Judge what is known of some windows."""
    if hour.fast < rule.floor:
        return None
    lower = wilson_lower(hour.fast, max(hour.fast, hour.near))
    if lower < rule.min_share:
        return None
    return exceeded(hour.fast, 0.0, rule.floor, share_lower=round(lower, 4))
