"""A device's impressions per campaign, kept small: against a plain count."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.state.counters import DeviceCell


@given(st.lists(st.sampled_from(["", "a", "b", "c"])))
def test_impressions_of_each_campaign_are_counted(shown):
    """As hop 1 notes them: a further campaign only where it is not the first one's."""
    cell = DeviceCell()
    for campaign in shown:
        cell.impressions += 1
        if cell.campaign != campaign:
            cell.shown_another(campaign)
    counts = Counter(shown)
    assert {name: cell.impressions_of(name) for name in "abc"} == {name: counts[name] for name in "abc"}
