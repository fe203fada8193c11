"""Clicks sooner after their impressions than a person can."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import FastClick, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import fast_click
from streams.state.policy import TimePolicy
from testkit.records import event_record

T0 = 1_760_419_200_000


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


@pytest.mark.parametrize(
    ("campaigns", "after_ms", "accused"),
    [(1, 250, ["fast_click"]), (3, 250, ["fast_click"]), (1, 4000, []), (1, -250, [])],
)
def test_a_click_with_an_id_of_its_own_is_joined_by_device_and_campaign(campaigns, after_ms, accused):
    """To the latest impression before it, one click each."""
    records, number = [], 0
    for at in range(5):
        moment, campaign = T0 + at * 7000, {"id": f"cmp_{at % campaigns}"}
        for kind, at_ms in (("campaign.impression", moment), ("campaign.click", moment + after_ms)):
            records.append(event_record(number, event=kind, created_at=iso(at_ms), campaign=campaign))
            number += 1
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(records)
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert [orjson.loads(value)["rule"] for value in owed] == accused


def clicking(delays_ms: list[int], every_ms: int = 9000) -> list[str]:
    """Rules that fire when a device clicks so long after its impressions."""
    records = []
    for at, delay_ms in enumerate(delays_ms):
        moment = T0 + 500 + at * every_ms
        for kind, at_ms in (("campaign.impression", moment), ("campaign.click", moment + delay_ms)):
            records.append(event_record(len(records), identity=f"act_{at}", event=kind, created_at=iso(at_ms)))
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(records)
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return [orjson.loads(value)["rule"] for value in owed]


def test_three_clicks_before_anybody_sees_what_there_is_are_enough():
    """One that took longer, or all in one moment, may be a person's, who has a thumb in the way."""
    assert clicking([250, 90, 440]) == ["fast_click"]
    assert clicking([250, 90, 560]) == []
    assert clicking([250, 90]) == []
    assert clicking([250, 90, 440, 3000]) == ["fast_click"]  # by then it had been found
    assert clicking([3000, 250, 90, 440]) == []
    assert clicking([250, 90, 440], every_ms=100) == []
    assert clicking([0, 0, 0]) == []  # stamped with whole seconds, or when it was sent
