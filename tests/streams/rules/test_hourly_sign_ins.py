"""Sign-ins and hardly anything else for an hour; both hops together: test_hourly_rules.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import HourlySignIns
from streams.rules import hourly_sign_ins
from streams.state.device_habits import HourOfHabits

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
