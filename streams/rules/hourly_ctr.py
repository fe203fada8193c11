"""hourly_ctr: one device clicks nearly everything that it is shown, slowly, for up to an hour.

As device_ctr, for who clicks too seldom to be told from a person within minutes. Statistic: taps, over ten minutes or
the hour, at least `floor`; Wilson's (1927) lower bound of their share of the device's impressions is at least
`min_ctr`, and its odds are `factor` times those of everybody else in the account, which are those of `usual_ctr` until
the account shows enough (a beta prior: empirical Bayes). So where everybody clicks what is shown, nobody is accused.
Where fewer impressions than `min_shown` of the taps are known, they are late or lost, and nothing is judged. What comes
later still takes a finding back. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from sori.settings.rules import HourlyCtr
from streams.rules import device_hour
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import wilson_lower
from streams.state.device_habits import HourOfHabits

NAME = "hourly_ctr"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["device"] = "device"
ASKED = "device"
COUNTED = "taps"
CORRECTABLE = True

lookback_ms = device_hour.lookback_ms


def evaluate(view: PlaceView, rule: HourlyCtr) -> PlaceFinding | None:
    """Judge a device as of a window of which more was told."""
    return device_hour.evaluate(view, rule, (COUNTED, rule.floor), partial(judge, rule=rule))


def judge(hour: HourOfHabits, rule: HourlyCtr) -> Judgement | None:
    """Judge what is known of some windows."""
    if hour.taps < rule.floor or hour.impressions < rule.min_shown * hour.taps:
        return None
    lower = wilson_lower(hour.taps, max(hour.taps, hour.impressions))
    shown = hour.other_impressions - hour.other_clicks
    usual = device_hour.usual_odds(hour.other_clicks, max(0, shown), rule.usual_ctr)
    if lower < rule.min_ctr or device_hour.odds(lower) < rule.factor * usual:
        return None
    expected = round(hour.impressions * usual / (1 + usual), 1)
    return exceeded(hour.taps, expected, rule.floor, ctr_lower=round(lower, 4))
