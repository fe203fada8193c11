"""Sign-ins and hardly anything else for an hour; both hops together: test_hourly_rules.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import HourlySignIns
from streams.rules import hourly_sign_ins
from streams.rules.judgement import exceeded
from streams.rules.place_view import PlaceFinding, PlaceView
from streams.state.device_habits import HourOfHabits
from streams.state.place_panes import RollUpPane

RULE = HourlySignIns()


def hour(sign_ins: int, impressions: int, others: tuple[int, int] = (0, 0)) -> HourOfHabits:
    """What a device did; `others`: impressions of everybody else, and their sign-ins."""
    return HourOfHabits(impressions, 0, 0, 0, 0, sign_ins, others[0], 0, others[1])


@given(sign_ins=st.integers(0, 500), others=st.integers(0, 5_000))
def test_who_sees_something_after_signing_in_is_not_accused(sign_ins, others):
    """A counter at which many sign in."""
    assert hourly_sign_ins.judge(hour(sign_ins, sign_ins, (others, others // 5)), RULE) is None


def test_an_app_that_signs_in_all_the_time_accuses_nobody():
    """Beside others who do the same it is the app's habit, beside people it is a device's."""
    assert hourly_sign_ins.judge(hour(50, 2, (2_000, 400)), RULE) is not None
    assert hourly_sign_ins.judge(hour(50, 2, (200, 5_000)), RULE) is None
    assert hourly_sign_ins.judge(hour(RULE.floor - 1, 0, (2_000, 400)), RULE) is None


def grown(minutes: dict[int, int]) -> float:
    """How many times as many sign in in the last ten minutes of an hour; 6 a pane, but in some of the minutes."""
    panes = {}
    for start in range(0, 3_300_000, 10_000):
        pane = panes[start] = RollUpPane(start, 0)
        pane.sign_ins["acc"] = {0: minutes.get(start // 60_000, 6)}
    view = PlaceView(3_300_000, 10_000, {}, panes=panes, account="acc")
    return hourly_sign_ins.growth(view, 0, 2_700_000)


def test_while_a_release_has_everybody_sign_in_as_many_times_more_are_asked_for():
    """Beside the usual, which one such time in the hour before does not change."""
    assert grown({}) == 1.0
    assert grown(dict.fromkeys(range(45, 55), 24)) == 4.0
    assert grown(dict.fromkeys([*range(5, 20), *range(45, 55)], 24)) == 4.0
    assert hourly_sign_ins.growth(PlaceView(600_000, 10_000, {}, account="acc"), 0, 0) == 1.0


@pytest.mark.parametrize(
    ("times", "sign_ins", "found"),
    [(1.0, 1.0, True), (2.0, 1.9, False), (2.0, 2.0, True), (50.0, 2.9, False), (50.0, 3.0, True)],
)
def test_however_many_more_sign_in_thrice_as_many_of_one_device_are_enough(monkeypatch, times, sign_ins, found):
    """Bots that sign in by the thousand would excuse each other."""
    finding = PlaceFinding(exceeded(sign_ins * RULE.floor, 1.0, RULE.floor), 0, ())
    monkeypatch.setattr(hourly_sign_ins.device_hour, "evaluate", lambda *_: finding)
    monkeypatch.setattr(hourly_sign_ins, "growth", lambda *_: times)
    judged = hourly_sign_ins.evaluate(PlaceView(3_300_000, 10_000, {}, account="acc"), RULE)
    assert (judged is finding) == found
