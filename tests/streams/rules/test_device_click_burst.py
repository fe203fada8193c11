"""Far more clicks of one device than before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DeviceClickBurst
from streams.rules import device_click_burst


@given(past=st.integers(0, 10_000))
def test_a_device_that_never_stops_does_not_become_its_own_excuse(past):
    """From the ceiling on the past does not matter."""
    rule = DeviceClickBurst()
    assert device_click_burst.judge(rule.ceiling, past, rule) is not None
    assert device_click_burst.judge(rule.floor - 1, past, rule) is None
