"""Rules over counts, places and rates, as pure judgements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import CtrAnomaly, DeviceAuthBurst, DeviceEventBurst, DeviceFarm, GeoHop
from streams.rules import ctr_anomaly, device_counts, device_farm, geo_hop
from streams.rules.ctr_anomaly import RateCounts

regions = st.lists(st.tuples(st.sampled_from(["Unknown", "A", "B", "C"]), st.sampled_from(["Unknown", "x", "y", "z"])))


@given(current=st.integers(0, 300), previous=st.integers(0, 300), elapsed=st.floats(0, 1))
def test_the_sliding_count_lies_between_the_present_window_and_both(current, previous, elapsed):
    """And only from the floor on is it a burst."""
    rule = DeviceEventBurst()
    found = device_counts.judge(current, previous, elapsed, 0, rule)
    if found is not None:
        assert max(current, rule.floor) <= found.observed <= current + previous
    else:
        assert current < rule.floor


def test_a_person_who_signs_in_again_is_no_stuffing_and_a_dozen_times_a_minute_is():
    """Default floor."""
    rule = DeviceAuthBurst()
    assert device_counts.judge(5, 5, 0.5, 0, rule) is None
    assert device_counts.judge(12, 0, 0.5, 0, rule) is not None


@given(seen=regions)
def test_unknown_places_never_convict(seen):
    """Nor do two countries, or three regions."""
    found = geo_hop.judge(seen, GeoHop())
    countries = {country for country, _ in seen} - {"Unknown"}
    named = {pair for pair in seen if pair[1] != "Unknown"}
    assert (found is not None) == (len(countries) >= 3 or len(named) >= 4)


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


def test_a_rack_of_phones_is_a_farm_and_a_crowd_of_people_is_not():
    """Concentration on one behaviour."""
    rule = DeviceFarm()
    people = {f"Android|cmp|0,1,1|{pace}": 4 for pace in range(40)}
    assert device_farm.judge(people, 160, {}, rule) is None
    found = device_farm.judge({**people, "Android|cmp|1,1,1|9": 100}, 260, {}, rule)
    assert found is not None
    assert found.details["behaviour"] == "Android|cmp|1,1,1|9"
    assert device_farm.judge({"same": 20}, 20, {"same": 100}, rule) is None  # as it always was here


def test_a_script_on_the_border_of_two_paces_is_one_behaviour():
    """Jitter splits it, wherever the border lies; paces further apart, or of other behaviour, are not one."""
    rule = DeviceFarm()
    found = device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|1,1,1|8": 7}, 15, {}, rule)
    assert found is not None
    assert found.observed == 15
    assert found.details["behaviour"] == "iOS|a|b|1,1,1|7"
    assert device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|1,1,1|9": 7}, 15, {}, rule) is None
    assert device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|0,1,1|8": 7}, 15, {}, rule) is None
    assert device_farm.judge({"same": 11, "other": 11}, 22, {}, rule) is None
