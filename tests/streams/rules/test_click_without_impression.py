"""Clicks on what was never shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import ClickWithoutImpression
from streams.rules import click_without_impression

counts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 20))


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
