"""Clicks too soon now and then for an hour; both hops together: test_hourly_rules.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import HourlyFastClick
from streams.rules import hourly_fast_click
from streams.state.device_habits import HourOfHabits

RULE = HourlyFastClick()


def hour(fast: int, near: int) -> HourOfHabits:
    """What a device did."""
    return HourOfHabits(near, near, near, near, fast, 0, 0, 0, 0)


@given(near=st.integers(0, 500))
def test_a_few_taps_by_accident_are_a_person_s(near):
    """One in four at most."""
    assert hourly_fast_click.judge(hour(near // 4, near), RULE) is None


def test_a_few_seconds_are_enough_where_hardly_any_click_is_slow():
    """And no fewer."""
    found = hourly_fast_click.judge(hour(6, 6), RULE)
    assert found is not None
    assert found.observed == 6
    assert hourly_fast_click.judge(hour(5, 5), RULE) is None
