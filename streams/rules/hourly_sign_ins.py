"""hourly_sign_ins: one device authenticates again and again, slowly, and does hardly anything else.

As device_auth_burst, for a hand that tries one identity after the other and takes its time (OWASP Automated Threats,
OAT-008: "low and slow"). Statistic: authentications over ten minutes or the hour, at least `floor`; Wilson's (1927)
lower bound of their share of the device's sign-ins and impressions is at least `min_share`, and its odds are `factor`
times those of everybody else in the account, which are those of `usual_share` until the account shows enough (a beta
prior: empirical Bayes). So a counter at which many sign in and then see something is not accused, nor is an app that
has every device sign in each minute. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from sori.events import AUTHENTICATION
from sori.settings.rules import HourlySignIns
from streams.rules import device_hour
from streams.rules.judgement import Judgement, exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.rules.statistics import wilson_lower
from streams.state.device_habits import HourOfHabits

NAME = "hourly_sign_ins"
TRAFFIC_CLASS: Literal["SIVT"] = "SIVT"
SUBJECT: Literal["device"] = "device"
JUDGES: tuple[str, ...] = (AUTHENTICATION,)
ASKED = "device"
COUNTED = "sign_ins"
CORRECTABLE = True

lookback_ms = device_hour.lookback_ms


def evaluate(view: PlaceView, rule: HourlySignIns) -> PlaceFinding | None:
    """Judge a device as of a window of which more was told."""
    return device_hour.evaluate(view, rule, (COUNTED, rule.floor), partial(judge, rule=rule))


def judge(hour: HourOfHabits, rule: HourlySignIns) -> Judgement | None:
    """Judge what is known of some windows."""
    if hour.sign_ins < rule.floor:
        return None
    lower = wilson_lower(hour.sign_ins, hour.sign_ins + hour.impressions)
    usual = device_hour.usual_odds(hour.other_sign_ins, hour.other_impressions, rule.usual_share)
    if lower < rule.min_share or device_hour.odds(lower) < rule.factor * usual:
        return None
    expected = round((hour.sign_ins + hour.impressions) * usual / (1 + usual), 1)
    return exceeded(hour.sign_ins, expected, rule.floor, share_lower=round(lower, 4))
