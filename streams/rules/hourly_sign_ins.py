"""hourly_sign_ins: one device authenticates again and again, slowly, and does hardly anything else.

As device_auth_burst, for a hand that tries one identity after the other and takes its time (OWASP Automated Threats,
OAT-008: "low and slow"). Statistic: authentications over ten minutes or the hour, at least `floor`; Wilson's (1927)
lower bound of their share of the device's sign-ins and impressions is at least `min_share`, and its odds are `factor`
times those of everybody else in the account, which are those of `usual_share` until the account shows enough (a beta
prior: empirical Bayes). So a counter at which many sign in and then see something is not accused, nor is an app that
has every device sign in each minute. While more devices of the account sign in than usual (its median stretch), a
release has signed them out: then as many times more of the device are asked for, thrice at most, who may be
several. MRC invalid traffic: SIVT.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Literal

from sori.events import AUTHENTICATION
from sori.settings.rules import HourlySignIns
from streams.rules import device_hour
from streams.rules.click_view import Grid
from streams.rules.device_auth_burst import MOST_EXCUSED
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
#: What is usual is the median of stretches of this length: a release fills less than half of an hour's.
_STRETCH_MS = 300_000

lookback_ms = device_hour.lookback_ms


def evaluate(view: PlaceView, rule: HourlySignIns) -> PlaceFinding | None:
    """Judge a device as of a window of which more was told."""
    found = device_hour.evaluate(view, rule, (COUNTED, rule.floor), partial(judge, rule=rule))
    if found is None:
        return None
    since_ms = view.end_ms - lookback_ms(rule, Grid(view.pane_ms, view.window_ms, most_ms=view.most_ms))
    least = rule.floor * min(MOST_EXCUSED, growth(view, since_ms, found.begin_ms))
    return found if found.judgement.observed >= least else None


def growth(view: PlaceView, since_ms: int, begin_ms: int) -> float:
    """How many times as many devices of the account sign in from `begin_ms` on as usual; at least once."""
    now, length_ms = _signed_in(view, begin_ms, view.end_ms), _STRETCH_MS - _STRETCH_MS % view.pane_ms
    begins = range(view.end_ms - length_ms, since_ms - 1, -length_ms)
    stretches = [told for begin in begins if (told := _signed_in(view, begin, begin + length_ms))]
    usual = median([sum(told) / len(told) for told in stretches]) if stretches else 0.0
    return max(1.0, sum(now) / len(now) / usual) if now and usual else 1.0


def _signed_in(view: PlaceView, begin_ms: int, end_ms: int) -> list[int]:
    """Devices of the account that signed in, of each pane of which that is told."""
    panes = (view.panes.get(start) for start in range(begin_ms, end_ms, view.pane_ms))
    return [told for pane in panes if pane is not None and (told := pane.signed_in(view.account))]


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
