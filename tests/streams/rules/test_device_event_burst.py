"""Far more events of one device than before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import DeviceEventBurst
from streams.rules import device_counts


@given(current=st.integers(0, 300), previous=st.integers(0, 300), elapsed=st.floats(0, 1))
def test_the_sliding_count_lies_between_the_present_window_and_both(current, previous, elapsed):
    """And only from the floor on is it a burst."""
    rule = DeviceEventBurst()
    found = device_counts.judge(current, previous, elapsed, 0, rule)
    if found is not None:
        assert max(current, rule.floor) <= found.observed <= current + previous
    else:
        assert current < rule.floor
