"""One device that changes its country more often than a person can, and many people who share an id."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import GeoHop, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import geo_hop
from streams.rules.statistics import many_runs
from streams.state.counters import Sighting
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, event_record

T0 = 1_760_419_200_000
POLICY = TimePolicy(10_000, 60_000, 600_000, 10**12)


def was_in(
    countries: Sequence[str], every_s: float = 15, platforms: Sequence[str] = ("iOS",), at_random: Random | None = None
) -> list[FakeRecord]:
    """One id's impressions, one after the other: so far apart, or `at_random`, as people are."""
    gaps = [at_random.expovariate(1 / every_s) if at_random else every_s for _ in countries]
    return [
        event_record(
            n,
            created_at=iso(int(T0 + sum(gaps[:n]) * 1000)),
            geolocation={"viewer_country": country, "viewer_region": f"r{n % 9}", "viewer_city": "x"},
            platform=platforms[n % len(platforms)],
        )
        for n, country in enumerate(countries)
    ]


def accused(records: Sequence[FakeRecord]) -> list[str]:
    """Rules that accuse whom these are of."""
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply(records)
    owed = [output.value for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return sorted({orjson.loads(line)["rule"] for value in owed for line in value.split(b"\n")})


@pytest.mark.parametrize(("countries", "every_s"), [("AB" * 20, 20), ("ABC" * 4, 9), ("ABCD" * 2, 12), ("ABCDEFG", 3)])
def test_a_device_that_alternates_between_countries_or_is_in_many_is_accused(countries, every_s):
    """Two countries are enough, when it takes longer."""
    assert accused(was_in(countries, every_s)) == ["geo_hop"]


@pytest.mark.parametrize(
    "countries",
    ["AAAAAABBBBBBBBBBBB", "AAAABAAACAAADAAAA", "AAABAAAAAAAABAAAAAAAABAAA", "AAAAABBBBBBCCCCC", ["A", "Unknown"] * 20],
)
def test_a_traveller_a_vpn_and_geoip_errors_are_not(countries):
    """Who moves stays for a while."""
    assert accused(was_in(countries)) == []


@pytest.mark.parametrize("seed", range(8))
def test_many_people_behind_one_id_are_not(seed):
    """Phones of two makes in four countries; or of one make, in any order, of two countries."""
    rng = Random(seed)
    assert accused(was_in(rng.choices("ABCD", k=60), 5, ["iOS", "Android", "iOS"], rng)) == []
    assert accused(was_in(rng.choices("AB", k=40), 10)) == []


def test_people_who_sign_in_and_see_a_few_spots_each_are_not():
    """Though their phones are of one make, and their countries alternate."""
    signed_in = [
        event_record(100 + n, event="authentication", created_at=iso(T0 + n * 60_000), campaign=None) for n in range(6)
    ]
    records = sorted([*was_in("ABC" * 8, 15), *signed_in], key=lambda one: orjson.loads(one.value or b"")["created_at"])
    assert accused([FakeRecord(one.value, n, headers=one.headers) for n, one in enumerate(records)]) == []


@given(seen=st.lists(st.sampled_from("AB"), max_size=30), late=st.randoms())
def test_the_order_in_which_events_come_matters_not(seen, late):
    """What counts is when they happened."""
    sightings = [Sighting(n * 1000, country, "iOS", identity=str(n)) for n, country in enumerate(seen)]
    mixed = late.sample(sightings, len(sightings))
    assert geo_hop.judge(sorted(mixed, key=lambda one: one.time_ms), GeoHop()) == geo_hop.judge(sightings, GeoHop())


@pytest.mark.parametrize("counts", [(20, 20), (12, 15, 9)])
def test_runs_have_the_mean_and_the_spread_of_a_random_order(counts):
    """Against shuffling: so many changes as a tenth of the orders have."""
    things = [kind for kind, count in enumerate(counts) for _ in range(count)]
    rng, found = Random(1), []
    for _ in range(4000):
        rng.shuffle(things)
        found.append(sum(a != b for a, b in pairwise(things)))
    at_least = sorted(found)[-400]
    mean, chance = many_runs(at_least, counts)
    assert sum(found) / len(found) == pytest.approx(mean, rel=0.03)
    assert chance == pytest.approx(sum(one >= at_least for one in found) / len(found), abs=0.06)
