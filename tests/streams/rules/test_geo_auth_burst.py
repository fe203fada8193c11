"""Devices of one place that sign in and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest

from sori.settings.rules import GeoAuthBurst, RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import geo_auth_burst
from streams.rules.geo_auth_burst import SignInCounts
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
STREAMS = StreamsSettings()


class Seen(NamedTuple):
    """One event, and how late it comes."""

    at_s: float
    kind: str
    device: str
    city: str = "Seville"
    late_s: float = 0


def alerts(events: Iterable[Seen], country: str = "Spain") -> dict[str, list[str]]:
    """States by rule and subject, both hops flushed each second of arrival."""
    devices = DeviceOperator(0, TimePolicy.of(STREAMS), RulesSettings())
    places = PlaceOperator(0, TimePolicy.of_places(STREAMS), RulesSettings())
    found: dict[str, list[str]] = {}
    offset, now = 0, 0.0

    def flush() -> None:
        nonlocal offset
        for output in devices.flush()[0]:
            if output.topic is GEO_ROLLUPS:
                places.apply([FakeRecord(output.value, offset)])
                offset += 1
        for output in places.flush()[0]:
            if output.topic is FRAUD_ALERTS:
                alert = orjson.loads(output.value)
                assert alert["evidence"]["sample_event_ids"] == []
                found.setdefault(f"{alert['rule']} {alert['subject']}", []).append(alert["state"])

    for number, one in enumerate(sorted(events, key=lambda one: one.at_s + one.late_s)):
        if one.at_s + one.late_s > now + 1:
            now = one.at_s + one.late_s
            flush()
        place = {"viewer_country": country, "viewer_region": "r", "viewer_city": one.city}
        changes: dict[str, Any] = {"geolocation": place, "device_id": one.device, "activity_id": f"a{number}"}
        at = iso(int(T0 + one.at_s * 1000))
        devices.apply([FakeRecord(body(event=one.kind, created_at=at, **changes), number, timestamp=T0 + 10**7)])
    flush()
    return found


def people(rng: Random, city: str, count: int, until_s: float = 900) -> Iterable[Seen]:
    """Seven in ten sign in, and see some spots."""
    for number in range(count):
        at_s = rng.uniform(0, until_s)
        if rng.random() < 0.7:
            yield Seen(at_s, "authentication", f"{city}{number}", city)
        for _ in range(rng.randint(1, 5)):
            at_s += rng.uniform(5, 40)
            yield Seen(at_s, "campaign.impression", f"{city}{number}", city)


@pytest.mark.parametrize(("devices", "within_s"), [(400, 90), (100, 240)])
def test_a_wave_of_sign_ins_in_one_city_is_found(devices, within_s):
    """At once, or when impressions have had their time."""
    rng = Random(1)
    ordinary = [*people(rng, "Seville", 120, 2100), *people(rng, "Madrid", 300, 2100)]
    wave = [Seen(1300 + rng.uniform(0, within_s), "authentication", f"bot{n}") for n in range(devices)]
    assert alerts([*ordinary, *wave])["geo_auth_burst Spain/r/Seville"][0] == "opened"


def test_a_wave_in_a_city_from_which_nothing_else_comes_is_found():
    """Nobody follows whose event would ask."""
    rng = Random(1)
    ordinary = [*people(rng, "Cadiz", 12, 1250), *people(rng, "Madrid", 300, 2100)]
    wave = [Seen(1300 + rng.uniform(0, 150), "authentication", f"bot{n}", "Cadiz") for n in range(150)]
    assert alerts([*ordinary, *wave])["geo_auth_burst Spain/r/Cadiz"][0] == "opened"


@pytest.mark.parametrize("country", ["Unknown", "Spain"])
def test_sign_ins_everywhere_or_nowhere_accuse_nobody(country):
    """A release that signs everybody out; and sign-ins whose place is not known."""
    rng = Random(2)
    again = [
        Seen(300 + rng.uniform(0, 120), "authentication", f"{city}{n}", city)
        for city in ("Seville", "Madrid", "Cadiz")
        for n in range(300)
        if country == "Spain" or city == "Seville"
    ]
    assert alerts([*people(rng, "Seville", 60), *again], country) == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_release_that_signs_out_where_it_is_noon_accuses_nobody(seed):
    """Everybody signs in again as they come back: where it is noon, twenty times the usual, elsewhere three times."""
    rng = Random(seed)
    ordinary = [*people(rng, "Seville", 40, 3000), *people(rng, "Cadiz", 25, 3000), *people(rng, "Madrid", 500, 3000)]
    again = [
        Seen(1300 + rng.lognormvariate(5.4, 1.0), "authentication", f"{city}_again{n}", city)
        for city, count in (("Seville", 300), ("Cadiz", 110), ("Madrid", 190), ("Malaga", 90))
        for n in range(count)
    ]
    assert not any(name.startswith("geo_auth_burst") for name in alerts([*ordinary, *again]))


def test_an_office_at_nine_accuses_nobody():
    """They sign in, and go on."""
    rng = Random(3)
    office = [*people(rng, "Seville", 400, until_s=240), *people(rng, "Madrid", 60)]
    assert alerts(office) == {}


@pytest.mark.parametrize("late_s", [0, 25])
def test_a_spot_whose_hearers_sign_in_first_accuses_nobody(late_s):
    """Impressions follow within seconds, and may be as long on their way as the sender takes."""
    rng = Random(5)
    heard = [(300 + rng.gammavariate(2, 5), f"new{n}") for n in range(2000)]
    spot = [Seen(at_s - rng.uniform(0.8, 6), "authentication", device) for at_s, device in heard[:500]]
    spot += [Seen(at_s, "campaign.impression", device, late_s=rng.uniform(0, late_s)) for at_s, device in heard]
    found = alerts([*people(rng, "Seville", 30), *people(rng, "Madrid", 200), *spot])
    assert not any(name.startswith("geo_auth_burst") for name in found)


def test_impressions_of_a_spot_that_come_late_take_it_back_or_come_in_time():
    """Four minutes late is in time for few devices; of many an alert was raised, and is withdrawn."""
    rng = Random(4)
    for hearers, states in ((120, None), (500, "withdrawn")):
        heard = [(rng.uniform(300, 350), f"new{n}") for n in range(hearers)]
        spot = [Seen(at_s, "authentication", device) for at_s, device in heard]
        spot += [Seen(at_s + 3, "campaign.impression", device, late_s=rng.uniform(60, 230)) for at_s, device in heard]
        found = alerts([*people(rng, "Seville", 60), *people(rng, "Madrid", 200), *spot])
        assert found.get("geo_auth_burst Spain/r/Seville", [None])[-1] == states


@pytest.mark.parametrize(
    ("changes", "accused"),
    [
        ({}, True),
        ({"past_devices": 0, "past_impressions": 0}, True),
        ({"past_devices": 2000}, False),
        ({"growth": 8.0}, False),
        ({"impressions": 900}, False),
        ({"past_impressions": 0, "past_devices": 300}, False),
    ],
)
def test_a_wave_is_beside_its_past_the_other_places_and_what_followed(changes, accused):
    """Any of them excuses it; a place without a past has no excuse; and one that only signs in is not judged."""
    counts = SignInCounts(300, 60, 200, 900, 1.0, 0.05, 0.05)
    assert (geo_auth_burst.judge(replace(counts, **changes), 200, GeoAuthBurst()) is not None) is accused
