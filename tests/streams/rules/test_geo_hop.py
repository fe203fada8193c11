"""One device in places too far apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import GeoHop
from streams.rules import geo_hop

regions = st.lists(st.tuples(st.sampled_from(["Unknown", "A", "B", "C"]), st.sampled_from(["Unknown", "x", "y", "z"])))


@given(seen=regions)
def test_unknown_places_count_for_nothing(seen):
    """Nor do two countries, or three regions."""
    found = geo_hop.judge(seen, GeoHop())
    countries = {country for country, _ in seen} - {"Unknown"}
    named = {pair for pair in seen if pair[1] != "Unknown"}
    assert (found is not None) == (len(countries) >= 3 or len(named) >= 4)
