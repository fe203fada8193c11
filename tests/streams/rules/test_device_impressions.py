"""A device that is shown spots as nobody hears them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.events import AUTHENTICATION
from sori.settings.rules import DeviceImpressions, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import device_impressions
from streams.rules.statistics import even_gaps
from streams.state.counters import DeviceCell, Pace
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, event_record

T0 = 1_760_419_200_000
CITIES = [{"viewer_country": "Peru", "viewer_region": "r", "viewer_city": f"c{n}"} for n in range(8)]


def found(gaps_s: Sequence[float], *, cities: int = 1, sign_ins: float = 0.0) -> dict[str, int] | None:
    """Evidence of the alert about a device that is shown something after each of these times; None: none is raised."""
    rng, events, at_s = Random(5), [], 0.0
    for gap in gaps_s:
        at_s += gap
        if rng.random() < sign_ins:
            events.append((T0 + int(at_s * 1000) - 500, AUTHENTICATION, CITIES[0]))
        events.append((T0 + int(at_s * 1000), "campaign.impression", rng.choice(CITIES[:cities])))
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    records = [
        event_record(n, event=kind, created_at=iso(at_ms), geolocation=place)
        for n, (at_ms, kind, place) in enumerate(sorted(events, key=lambda one: one[0]))
    ]
    evidence = None
    for begin in range(0, len(records), 20):
        part = records[begin : begin + 20]
        operator.apply([FakeRecord(one.value, one.offset, timestamp=T0 + 10**7, headers=one.headers) for one in part])
        owed = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
        evidence = evidence or next((one["evidence"] for one in owed if one["rule"] == "device_impressions"), None)
    return evidence


def gaps(every_s: float, sigma: float, lasts_s: int = 420) -> list[float]:
    """Log-normal times around one."""
    rng = Random(7)
    return [rng.lognormvariate(math.log(every_s), sigma) for _ in range(int(lasts_s / every_s))]


@pytest.mark.parametrize("every_s", [1.5, 3, 7])
def test_who_shows_spots_like_a_machine_is_found(every_s):
    """At whatever pace, as long as people hear fewer."""
    evidence = found(gaps(every_s, 0.2))
    assert evidence is not None
    assert evidence["spread"] < 0.125
    assert evidence["every_s"] == pytest.approx(every_s, rel=0.2)


@pytest.mark.parametrize("every_s", [0.1, 0.4, 0.8])
def test_who_shows_more_than_anybody_hears_as_evenly_as_a_machine_is_found_within_seconds(every_s):
    """No minutes need to pass; at random it would have to go on."""
    evidence = found(gaps(every_s, 0.2, lasts_s=math.ceil(24 * every_s)))
    assert evidence is not None
    assert evidence["impressions"] <= 24
    rng = Random(4)
    assert found([rng.expovariate(1 / every_s) for _ in range(40)]) is None


def test_who_shows_more_than_anybody_hears_is_found_however_unevenly():
    """Twice a person's ten bumpers a minute, and more, for minutes."""
    rng = Random(3)
    evidence = found([rng.expovariate(40 / 60) for _ in range(240)])
    assert evidence is not None
    assert "spread" not in evidence


@pytest.mark.parametrize("every_s", [7, 12])
def test_a_person_or_a_counter_with_much_time_is_not(every_s):
    """Spot after spot, none as soon as the other."""
    assert found(gaps(every_s, 0.7)) is None


def test_a_banner_that_refreshes_by_itself_is_not():
    """The most that ad servers allow is two a minute."""
    assert found([30.0] * 20) is None


def test_an_id_that_many_people_share_is_not():
    """They live in several places, or sign in."""
    rng = Random(3)
    crowd = [rng.expovariate(60 / 60) for _ in range(400)]
    assert found(crowd, cities=8) is None
    assert found(crowd, sign_ins=0.1) is None


def test_what_was_shown_while_offline_is_not():
    """It is stamped with one second."""
    assert found([10.0, *[0.0] * 40, 60.0, *[0.0] * 40, 60.0, *[0.0] * 40]) is None


@given(st.lists(st.floats(1, 10_000), min_size=3, max_size=60))
def test_the_chance_grows_with_the_spread_and_falls_with_the_number_of_times(times):
    """And is one."""
    n, total = len(times), sum(times)
    spread = n * sum(time**2 for time in times) / total**2 - 1
    chance = even_gaps(spread, n)
    assert 0 <= chance <= 1
    assert even_gaps(spread / 2, n) <= chance <= even_gaps(min(1.0, 2 * spread), n)


def test_events_at_random_are_as_even_as_it_says_that_often():
    """Five times between them, of a spread up to 0.2: one in twelve."""
    rng, even = Random(1), 0
    for _ in range(20_000):
        times = [rng.expovariate(1) for _ in range(5)]
        even += 5 * sum(time**2 for time in times) / sum(times) ** 2 - 1 <= 0.2
    assert even / 20_000 == pytest.approx(even_gaps(0.2, 5), abs=0.01)


cells = st.builds(
    lambda impressions, sign_ins, every, spread: DeviceCell(
        impressions=impressions,
        authentications=sign_ins,
        pace=Pace(impressions - 3, (impressions - 3) * every, int((impressions - 3) * every**2 * (1 + spread))),
    ),
    st.integers(4, 60),
    st.integers(0, 2),
    st.integers(100, 10_000),
    st.floats(0, 2),
)


@given(st.lists(cells, max_size=7))
def test_nobody_is_accused_of_less_than_minutes_in_a_row(windows):
    """But of more than anybody hears; nor of fewer impressions than asked for, nor where many signed in."""
    rule = DeviceImpressions()
    if (judged := device_impressions.judge(windows, rule, 7, 60_000)) is not None:
        assert sum(cell.authentications for cell in windows) <= rule.max_sign_ins * judged.observed
        if judged.floor == rule.quick_floor:
            assert judged.details["every_s"] <= 60 / rule.per_minute
            return
        assert len(windows) >= rule.least_windows
        assert judged.observed >= rule.floor
        paused = device_impressions.judge([*windows[:2], DeviceCell(), *windows[2:]], rule, 7, 60_000)
        assert paused is None or paused.floor == rule.quick_floor
