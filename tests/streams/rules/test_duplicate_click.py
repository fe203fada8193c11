"""Repeated taps on one creative."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DuplicateClick
from streams.rules import duplicate_click
from streams.state.counters import Click


def click(time_ms: int, campaign: str = "cmp", identity: str = "act") -> Click:
    """One click."""
    return Click(time_ms, campaign, "mat", identity)


@given(gap_ms=st.integers(3001, 60_000), count=st.integers(0, 40))
def test_clicks_further_apart_than_the_gap_repeat_nothing(gap_ms, count):
    """However many they are."""
    assert duplicate_click.judge([click(n * gap_ms) for n in range(count)], DuplicateClick()) is None


@given(times=st.lists(st.integers(0, 20_000), max_size=30))
def test_repeats_do_not_depend_on_the_order_of_arrival(times):
    """Disorder changes nothing."""
    forth = duplicate_click.repeats([click(time) for time in times], 3000)
    assert forth == duplicate_click.repeats([click(time) for time in reversed(times)], 3000)
    assert forth <= max(0, len(times) - 1)


def test_repeated_taps_on_one_creative_are_found_and_on_different_ones_are_not():
    """Six taps within seconds."""
    rule = DuplicateClick()
    found = duplicate_click.judge([click(n * 500) for n in range(6)], rule)
    assert found is not None
    assert found.observed == 5
    assert duplicate_click.judge([click(n * 500, f"cmp_{n}") for n in range(6)], rule) is None
