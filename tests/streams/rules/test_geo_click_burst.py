"""The place rule: an aired spot is the product at work, a flood is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import CtrAnomaly, GeoClickBurst
from streams.rules import ctr_anomaly
from streams.rules.geo_click_burst import PlaceCounts, judge, stands_out
from streams.rules.statistics import wilson_lower

RULE = GeoClickBurst()


def counts(**changes: int) -> PlaceCounts:
    """A quiet place, changed."""
    usual = {
        "window_clicks": 5,
        "top_device_clicks": 1,
        "window_impressions": 300,
        "baseline_clicks": 25,
        "baseline_impressions": 500,
    }
    return PlaceCounts(**{**usual, **changes})


@given(impressions=st.integers(1_000, 200_000), rate=st.floats(0.0, 0.08))
def test_an_aired_spot_stays_silent_however_large_the_crowd(impressions, rate):
    """Impressions jump a hundredfold and clicks with them at a usual rate."""
    crowd = counts(window_impressions=impressions, window_clicks=int(impressions * rate))
    assert judge(crowd, RULE) is None


def test_clicks_without_the_impressions_to_explain_them_are_a_burst():
    """Many devices, few impressions."""
    found = judge(counts(window_clicks=200, top_device_clicks=8), RULE)
    assert found is not None
    assert found.observed == 192
    assert found.expected == 5
    assert found.details["ctr_lower"] > 0.15


def test_one_devices_flood_is_not_the_places():
    """The busiest device is left out."""
    assert judge(counts(window_clicks=200, top_device_clicks=190), RULE) is None


@pytest.mark.parametrize(
    ("clicks", "trials", "lower"), [(0, 0, 0.0), (0, 10, 0.0), (10, 10, 0.7225), (50, 1000, 0.0381)]
)
def test_wilson_lower_bound_matches_published_values(clicks, trials, lower):
    """Values as R's binom.wilson gives them."""
    assert wilson_lower(clicks, trials) == pytest.approx(lower, abs=5e-4)


@given(
    clicks=st.integers(0, 3_000),
    impressions=st.integers(0, 100_000),
    min_ctr=st.floats(0.001, 1.0),
    floor=st.integers(1, 100),
)
def test_what_is_spared_stands_out_in_no_case(clicks, impressions, min_ctr, floor):
    """A rate that is too low itself is not bounded from below any more: the answer is the bound's."""
    rule = GeoClickBurst(min_ctr=min_ctr, floor=floor)
    bounded = clicks >= floor and wilson_lower(clicks, max(impressions, clicks)) >= min_ctr
    assert stands_out(clicks, impressions, rule) == bounded
    campaign = CtrAnomaly(min_ctr=min_ctr, floor=floor)
    assert ctr_anomaly.stands_out(clicks, impressions, campaign) == bounded
