"""Nearly everything is clicked for an hour; both hops together: test_hourly_rules.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import HourlyCtr
from streams.rules import hourly_ctr
from streams.state.device_habits import HourOfHabits

RULE = HourlyCtr()


def hour(taps: int, impressions: int, others: tuple[int, int] = (0, 0)) -> HourOfHabits:
    """What a device did; `others`: impressions and clicks of everybody else."""
    return HourOfHabits(impressions, taps, taps, 0, 0, 0, *others, 0)


@given(impressions=st.integers(0, 500), ctr=st.floats(0, 0.6), shown=st.integers(0, 10_000))
def test_six_of_ten_are_a_keen_person(impressions, ctr, shown):
    """However long they go on."""
    taps = int(ctr * impressions)
    assert hourly_ctr.judge(hour(taps, impressions, (shown, shown // 20)), RULE) is None


@given(others=st.integers(0, 10_000), rate=st.floats(0, 1))
def test_it_takes_more_where_more_is_clicked_by_everybody(others, rate):
    """Whom a high rate of the account lets pass, a higher one does as well."""
    clicks = int(rate * others)
    strict = hourly_ctr.judge(hour(40, 42, (others, clicks)), RULE)
    lax = hourly_ctr.judge(hour(40, 42, (others, clicks // 2)), RULE)
    assert strict is None or lax is not None


def test_nothing_is_said_where_impressions_are_missing():
    """They are late or lost."""
    assert hourly_ctr.judge(hour(40, 41), RULE) is not None
    assert hourly_ctr.judge(hour(40, 20), RULE) is None
    assert hourly_ctr.judge(hour(RULE.floor - 1, 23), RULE) is None
