"""Rules over single clicks of one device, as pure judgements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import ClickWithoutImpression, DeviceClickBurst, DuplicateClick, FastClick
from streams.rules import click_without_impression, device_click_burst, duplicate_click, fast_click
from streams.state.counters import Click

counts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 20))


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


@given(matched=counts, unmatched=counts, shown=counts)
def test_each_impression_explains_one_click(matched, unmatched, shown):
    """Orphans never outnumber unmatched clicks, and enough impressions leave none."""
    found = click_without_impression.orphans(matched, unmatched, shown)
    assert 0 <= found <= sum(unmatched.values())
    enough = {campaign: matched.get(campaign, 0) + clicks for campaign, clicks in unmatched.items()}
    assert click_without_impression.orphans(matched, unmatched, enough) == 0


def test_clicks_nobody_was_shown_are_found_unless_they_are_the_smaller_part():
    """Floor and share."""
    rule = ClickWithoutImpression()
    found = click_without_impression.judge({"a": 1}, {"a": 6, "b": 1}, {"a": 1}, rule)
    assert found is not None
    assert found.observed == 7
    assert click_without_impression.judge({"a": 8}, {"a": 6}, {"a": 8}, rule) is None
    assert click_without_impression.judge({}, {"a": 6}, {"a": 1}, rule) is None


@given(past=st.integers(0, 10_000))
def test_a_device_that_never_stops_does_not_become_its_own_excuse(past):
    """From the ceiling on the past does not matter."""
    rule = DeviceClickBurst()
    assert device_click_burst.judge(rule.ceiling, past, rule) is not None
    assert device_click_burst.judge(rule.floor - 1, past, rule) is None
