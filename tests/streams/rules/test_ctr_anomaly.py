"""A campaign's click-through rate far above its own past."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import CtrAnomaly
from streams.rules import ctr_anomaly
from streams.rules.ctr_anomaly import RateCounts


def rates(**changes: int) -> RateCounts:
    """A campaign with a usual rate, changed."""
    usual = {
        "clicks": 45,
        "top_device_clicks": 1,
        "clicking_devices": 44,
        "impressions": 1500,
        "past_clicks": 200,
        "past_impressions": 7000,
    }
    return RateCounts(**{**usual, **changes})


@given(impressions=st.integers(500, 1_000_000), rate=st.floats(0, 0.085), past=st.integers(0, 50_000))
def test_no_crowd_however_large_is_an_anomaly_at_a_usual_rate(impressions, rate, past):
    """With the same rate before, or with no past at all."""
    crowd = int(impressions * rate)
    counts = rates(
        clicks=crowd,
        clicking_devices=crowd,
        impressions=impressions,
        past_clicks=int(past * rate),
        past_impressions=past,
    )
    assert ctr_anomaly.judge(counts, CtrAnomaly()) is None or counts.past_clicks * 3 < past * rate


def test_a_rate_far_above_its_past_is_an_anomaly_unless_one_device_made_it():
    """The busiest device is left out, and few devices do not suffice."""
    rule = CtrAnomaly()
    assert ctr_anomaly.judge(rates(), rule) is None
    found = ctr_anomaly.judge(rates(clicks=400, clicking_devices=180), rule)
    assert found is not None
    assert found.details["ctr_lower"] > 3 * found.details["baseline_ctr"]
    assert ctr_anomaly.judge(rates(clicks=400, top_device_clicks=370), rule) is None
    assert ctr_anomaly.judge(rates(clicks=400, clicking_devices=14), rule) is None


@given(clicks=st.integers(0, 500), fewer=st.integers(0, 5000), more=st.integers(0, 5000))
def test_what_does_not_stand_out_against_few_impressions_does_not_against_more(clicks, fewer, more):
    """So a window may be passed over by its own impressions alone."""
    if ctr_anomaly.stands_out(clicks, fewer + more, CtrAnomaly()):
        assert ctr_anomaly.stands_out(clicks, fewer, CtrAnomaly())


@given(st.lists(st.integers(0, 50), min_size=3, max_size=20), st.integers(1, 3))
def test_the_fullest_window_is_the_latest_of_those_with_the_most_impressions(impressions, length):
    """Against every window written out."""
    starts = range(len(impressions) - length + 1)
    most = max(sum(impressions[start : start + length]) for start in starts)
    latest = max(start for start in starts if sum(impressions[start : start + length]) == most)
    assert ctr_anomaly.fullest_window(impressions, length) == (len(impressions) - length - latest, most)
