"""Spots whose impressions are late or lost are no fraud; clicks that no airing explains still are."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.times import iso
from streams.rules.airing import jump
from streams.rules.place_view import PlaceView
from streams.state.place_panes import RollUpPane, SubjectSums
from testkit.both_hops import place_alerts
from testkit.records import body

T0 = 1_760_419_200_000
CITIES = ("Rome", "Milan", "Turin")
Came = tuple[int, bytes]


def event(kind: str, at_ms: int, device: str, city: str, came_ms: int | None = None) -> Came:
    """One event of the campaign, each click with its impression's id, and when it came."""
    place = {"viewer_country": "Italy", "viewer_region": "", "viewer_city": city}
    name = "authentication" if kind == "sign in" else f"campaign.{kind}"
    raw = body(event=name, created_at=iso(at_ms), activity_id=f"of_{device}", device_id=device, geolocation=place)
    return (at_ms if came_ms is None else came_ms), raw


def usual(rng: Random, minutes: int) -> Iterator[Came]:
    """An impression every two seconds, one in fifty clicked."""
    for number in range(minutes * 30):
        at_ms, city = T0 + number * 2000, rng.choice(CITIES)
        yield event("impression", at_ms, f"usual_{number}", city)
        if number % 50 == 0:
            yield event("click", at_ms + 5000, f"usual_{number}", city)


def spot(
    rng: Random, people: int, ctr: float, *, late: float = 0.0, lost: float = 0.0, cities: tuple[str, ...] = CITIES
) -> Iterator[Came]:
    """A spot half an hour after the beginning; impressions that are late come so, half of them stamped so too,
    and a quarter of its people sign in.
    """
    for number in range(people):
        device, city = f"heard_{number}", rng.choice(cities)
        at_ms = T0 + 1_800_000 + int(1000 * (7 + rng.gammavariate(2.0, 15.0)))
        if rng.random() < ctr:
            yield event("click", at_ms + 700 + int(rng.lognormvariate(1.5, 0.8) * 1000), device, city)
        if rng.random() < 0.25:
            yield event("sign in", at_ms - rng.randint(800, 6000), device, city)
        if rng.random() < lost:
            continue
        delay_ms = rng.randint(30_000, 240_000) if rng.random() < late else 0
        stamped = at_ms + (delay_ms if rng.random() < 0.5 else 0)
        yield event("impression", stamped, device, city, at_ms + delay_ms)


def bots(rng: Random, count: int, within_s: int, after_s: int = 0) -> Iterator[Came]:
    """As many clicks of one city as devices, none of which was shown anything."""
    for number in range(count):
        at_ms = T0 + 1_800_000 + after_s * 1000 + rng.randrange(within_s * 1000)
        yield event("click", at_ms, f"bot_{number}", CITIES[0])


def alerts(*traffic: Iterator[Came]) -> list[str]:
    """Rules that fired, also where that was taken back; an hour is plenty."""
    events = sorted(one for part in traffic for one in part)
    return sorted(alert["rule"] for alert in place_alerts(events).values())


FAULTS = {"late": {"late": 0.5}, "later": {"late": 0.9}, "most": {"lost": 0.65}, "none": {}}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("cities", [CITIES, CITIES[:1]], ids=["everywhere", "city"])
def test_a_spot_with_late_or_lost_impressions_accuses_nobody(seed, faults, cities):
    """Three to five times the usual rate and more: people like it."""
    rng = Random(seed)
    people, ctr = rng.randint(300, 1500), rng.uniform(0.06, 0.3)
    assert alerts(usual(rng, 50), spot(rng, people, ctr, cities=cities, **FAULTS[faults])) == []


def test_clicks_of_a_city_that_was_shown_nothing_are_found_without_an_airing_and_in_its_wake():
    """Nothing jumps but the clicks; or more of them lack an impression than a spot's ever do, and the alert says so."""
    rng = Random(1)
    assert "geo_click_burst" in alerts(usual(rng, 35), bots(rng, 200, 90))
    events = sorted([*usual(rng, 40), *spot(rng, 600, 0.05), *bots(rng, 900, 90, 120)])
    found = {alert["rule"]: alert["evidence"] for alert in place_alerts(events).values()}
    assert "a campaign shown here was on the air: " in found["geo_click_burst"]["airing"]
    assert "this campaign was on the air: " in found["ctr_anomaly"]["airing"]


@given(st.lists(st.integers(0, 200), min_size=1, max_size=150), st.integers(0, 3000), st.integers(1, 40))
def test_a_jump_is_told_with_counts_that_add_up(shown, more, reach):
    """Whatever came: it begins within what was looked at, and has at least what jumped."""
    panes = [*shown, more]
    found = jump(panes, reach, 6)
    if found is not None:
        assert 0 < found.panes <= reach
        assert found.count == sum(panes[-found.panes :])
        assert 0 <= found.more <= found.count


def test_steady_traffic_is_no_airing_however_much():
    """Twenty impressions a pane, more or fewer; a tenfold jump is one."""
    rng = Random(2)
    steady = [max(0, round(rng.gauss(20, 4.5))) for _ in range(138)]
    assert jump(steady, 46, 6) is None
    jumped = jump([*steady[:-8], 200, 300, 100, 80, 60, 50, 40, 30], 46, 6)
    assert jumped is not None
    assert jumped.count >= 860
    assert jumped.more == pytest.approx(860 - 160, abs=60)


def test_what_a_view_knows_of_a_jump_is_of_the_time_that_was_asked_about():
    """It is asked by several rules, each of which may look back its own time."""
    series = {start: SubjectSums(impressions=60 if start == 890_000 else 1) for start in range(0, 900_000, 10_000)}
    panes = {start: RollUpPane(start, 0) for start in series}
    view = PlaceView(900_000, 10_000, series, panes=panes)
    longest, none = view.jumped_since(0), view.jumped_since(880_000)
    assert longest is not None
    assert none is None
    assert (view.jumped_since(0), view.jumped_since(880_000)) == (longest, none)
