"""One device in places too far apart."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import GeoHop, RulesSettings
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import geo_hop
from streams.state.policy import TimePolicy
from testkit.records import event_record

regions = st.lists(st.tuples(st.sampled_from(["Unknown", "A", "B", "C"]), st.sampled_from(["Unknown", "x", "y", "z"])))


@given(seen=regions)
def test_unknown_places_count_for_nothing(seen):
    """Nor do two countries, three regions, or any number of regions of one country."""
    found = geo_hop.judge(seen, GeoHop())
    countries = {country for country, _ in seen} - {"Unknown"}
    named = {pair for pair in seen if pair[1] != "Unknown"}
    assert (found is not None) == (len(countries) >= 3 or (len(named) >= 4 and len(countries) >= 2))


@pytest.mark.parametrize(("countries", "accused"), [(1, []), (2, ["geo_hop"]), (6, ["geo_hop"])])
def test_a_carriers_gateways_or_a_private_relay_within_one_country_convict_nobody(countries, accused):
    """Through the operator: six regions within a minute, of one country or of more."""
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    places = [{"viewer_country": f"c{n % countries}", "viewer_region": f"r{n}", "viewer_city": "x"} for n in range(6)]
    operator.apply([event_record(n, geolocation=place) for n, place in enumerate(places)])
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert [orjson.loads(value)["rule"] for value in owed] == accused
