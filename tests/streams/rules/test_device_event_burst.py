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


@given(
    counts=st.lists(st.integers(0, 300), min_size=6, max_size=6),
    more=st.lists(st.integers(0, 300), min_size=6, max_size=6),
    elapsed=st.floats(0, 1),
)
def test_below_the_count_that_is_due_no_events_that_come_late_make_a_burst(counts, more, elapsed):
    """Neither of this window, nor of any before the one before: where more of that comes it is asked anew."""
    rule = DeviceEventBurst()
    past = sum(counts[2:]) + sum(more[2:])
    for current in range(counts[0], device_counts.due(counts, rule)):
        assert device_counts.judge(current, counts[1], elapsed, past, rule) is None
