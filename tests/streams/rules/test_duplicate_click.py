"""Repeated taps on one creative."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DuplicateClick, RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import duplicate_click
from streams.state.counters import Click
from streams.state.policy import TimePolicy
from testkit.records import event_record


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
    forth = duplicate_click.repeated([click(time) for time in times], 3000)
    assert forth == duplicate_click.repeated([click(time) for time in reversed(times)], 3000)
    assert len(forth) <= max(0, len(times) - 1)


def test_repeated_taps_on_one_creative_are_found_and_on_different_ones_are_not():
    """Six taps within seconds."""
    rule = DuplicateClick()
    found = duplicate_click.judge([click(n * 500) for n in range(6)], rule)
    assert found is not None
    assert found.observed == 5
    assert duplicate_click.judge([click(n * 500, f"cmp_{n}") for n in range(6)], rule) is None


def test_what_a_device_did_offline_repeats_nothing():
    """It is stamped with the second in which it was sent, or with the next one."""
    rule = DuplicateClick()
    assert duplicate_click.judge([click(5000)] * 12, rule) is None
    assert duplicate_click.judge([click(5000)] * 6 + [click(6000)] * 6, rule) is None
    assert duplicate_click.judge([click(5000 + n * 250) for n in range(12)], rule) is not None


def test_a_version_that_reports_each_tap_twice_makes_no_repeats():
    """Taps that are seconds apart; of a bot's, twice as many come anyway."""
    rule = DuplicateClick()
    taps = [n * 4000 for n in range(8)]
    assert (
        duplicate_click.judge([click(time) for time in sorted([*taps, *[time + 300 for time in taps]])], rule) is None
    )
    assert duplicate_click.judge([click(n * 200) for n in range(14)], rule) is not None


def fires(impressions: int, campaign: str = "cmp_1") -> bool:
    """Whether ten taps on a banner, two seconds apart, are accused of a device that was shown a campaign so often."""
    t0 = 1_760_419_200_000
    events = [(t0 + number * 1800, "campaign.impression", f"a{number}", campaign) for number in range(impressions)]
    events += [(t0 + 1000 + number * 2000, "campaign.click", f"c{number}", "cmp_1") for number in range(10)]
    operator = DeviceOperator(0, TimePolicy.of(StreamsSettings()), RulesSettings())
    operator.apply(
        event_record(n, event=kind, created_at=iso(at_ms), identity=identity, campaign={"id": of})
        for n, (at_ms, kind, identity, of) in enumerate(sorted(events))
    )
    alerts = [orjson.loads(one.value) for one in operator.flush()[0] if one.topic is FRAUD_ALERTS]
    return "duplicate_click" in {alert["rule"] for alert in alerts}


@pytest.mark.parametrize("campaign", ["cmp_1", "cmp_2"])
def test_a_banner_for_each_tap_of_its_own_is_no_repetition(campaign):
    """Of the campaign that it clicked, and one less is not enough; others do not count."""
    assert fires(1, campaign)
    assert fires(4, campaign)
    assert fires(10, campaign) == (campaign != "cmp_1")
