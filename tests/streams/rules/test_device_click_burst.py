"""Far more clicks of one device than before."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DeviceClickBurst, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import device_click_burst
from streams.state.policy import TimePolicy
from testkit.records import event_record

T0 = 1_760_419_200_000


@given(past=st.integers(0, 10_000))
def test_a_device_that_never_stops_does_not_become_its_own_excuse(past):
    """From the ceiling on the past does not matter."""
    rule = DeviceClickBurst()
    assert device_click_burst.judge(rule.ceiling, past, rule) is not None
    assert device_click_burst.judge(rule.floor - 1, past, rule) is None


def alerts(times_s: list[float]) -> list[tuple[str, float]]:
    """Rules that fire, and what they observe, when a device clicks so long after the start, each time another thing."""
    records = [
        event_record(
            number,
            event="campaign.click",
            created_at=iso(T0 + int(1000 * at_s)),
            campaign={"id": f"cmp_{number % 4}"},
        )
        for number, at_s in enumerate(times_s)
    ]
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(records)
    owed = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return [(alert["rule"], alert["observed"]) for alert in owed if alert["rule"] == "device_click_burst"]


@pytest.mark.parametrize("every_s", [1.0, 1.25, 2.5])
def test_more_taps_in_seconds_than_anybody_is_shown_things_are_found_at_once(every_s):
    """Eight are enough, within two panes."""
    times = [2 + at * every_s for at in range(8)]
    assert alerts(times) == [("device_click_burst", 8)]
    assert alerts(times[:7]) == []


def test_a_person_s_taps_are_not():
    """A spot after the other, each tapped; and twice as many clicks, where a version tells each tap twice."""
    spots = [2 + at * 6.0 for at in range(9)]
    assert alerts(spots) == []
    assert alerts(sorted([*spots, *[at + 0.4 for at in spots]])) == []
    assert alerts([5.0] * 19) == []  # what was done offline is stamped together


@given(past=st.integers(0, 1000), made=st.integers(0, 30))
def test_an_id_that_many_share_may_have_a_good_minute(past, made):
    """Not less likely than one in a million, beside its own past."""
    rule = DeviceClickBurst()
    found = device_click_burst.judge_taps(made, past, rule)
    if found is not None:
        assert made >= rule.quick_floor
        assert made > 2 * past * rule.quick_window_s / rule.baseline_s
    if past >= 60:
        assert device_click_burst.judge_taps(rule.quick_floor, past, rule) is None
