"""Clicks sooner after their impressions than a person can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import FastClick
from streams.rules import fast_click


def test_clicks_a_moment_after_their_impressions_are_too_fast():
    """Also where rounding puts the impression after its click."""
    found = fast_click.judge([300, -400, 90, 900, None, None], FastClick())
    assert found is not None
    assert found.observed == 4


@given(delays=st.lists(st.one_of(st.none(), st.integers(1000, 600_000)), max_size=40))
def test_human_delays_are_never_too_fast(delays):
    """From one second on."""
    assert fast_click.judge(delays, FastClick()) is None


def test_a_few_fast_clicks_among_many_human_ones_are_no_script():
    """The share counts."""
    assert fast_click.judge([200] * 4 + [5000] * 5, FastClick()) is None
