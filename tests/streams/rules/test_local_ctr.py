"""One campaign is clicked by nearly everybody in one city; pushes, giveaways and what people like are not that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sori.settings.rules import LocalCtr
from sori.times import iso
from streams.rules.local_ctr import evaluate, judge, told, told_panes
from streams.rules.place_view import PlaceView
from streams.state.place_panes import RollUp, RollUpPane, SubjectSums
from testkit.both_hops import place_alerts
from testkit.records import body

T0 = 1_760_419_200_000
MINUTE = 60_000
RULE = LocalCtr()
CITIES = ("Rome", "Milan", "Turin")
Came = tuple[int, bytes]


def event(kind: str, at_ms: int, device: str, city: str, campaign: str, *, identity: str | None = None) -> Came:
    """One event."""
    place = {"viewer_country": "Italy", "viewer_region": "", "viewer_city": city}
    return at_ms, body(
        event=f"campaign.{kind}",
        created_at=iso(at_ms),
        activity_id=identity or f"of_{device}",
        device_id=device,
        geolocation=place,
        campaign={"id": campaign},
    )


def usual(rng: Random, minutes: int) -> Iterator[Came]:
    """A busy account: half a minute's impressions in each of three cities on three campaigns, one in twenty clicked."""
    for number in range(minutes * 60):
        at_ms, city, campaign = T0 + number * 1000, rng.choice(CITIES), rng.choice(("a", "b", "c"))
        yield event("impression", at_ms, f"usual_{number}", city, campaign)
        if rng.random() < 0.05:
            yield event("click", at_ms + 4000, f"usual_{number}", city, campaign)


def crowd(
    rng: Random, count: int, within_s: int, *, ctr: float, city: str = "Rome", shown: float = 1.0
) -> Iterator[Came]:
    """So many new devices from minute 25 on: each is shown campaign d once, and clicks it, or not."""
    for number in range(count):
        at_ms, device = T0 + 25 * MINUTE + rng.randrange(within_s * 1000), f"crowd_{city}_{number}"
        if rng.random() < shown:
            yield event("impression", at_ms, device, city, "d")
        if rng.random() < ctr:
            yield event("click", at_ms + 1000 + int(rng.lognormvariate(1.3, 0.5) * 1000), device, city, "d")


def accused(*traffic: Iterator[Came]) -> dict[str, tuple[str, int]]:
    """Whom local_ctr accused: state, and how many seconds after minute 25."""
    events = sorted(one for part in traffic for one in part)
    alerts = [alert for alert in place_alerts(events).values() if alert["rule"] == "local_ctr"]
    return {alert["subject"]: (alert["state"], alert["window_end"]) for alert in alerts}


def test_ids_that_are_reset_after_each_click_are_found_in_a_busy_city():
    """A hundred devices in twenty minutes, each new: a third of the city's clicks, and of no other campaign's."""
    rng = Random(1)
    assert list(accused(usual(rng, 50), crowd(rng, 100, 1200, ctr=0.85))) == ["Italy/Unknown/Rome"]


def test_a_click_now_and_then_elsewhere_excuses_nobody():
    """Of a campaign that is seldom shown elsewhere, hop 1 tells in panes with a click only: one in so many is sure."""
    rng, seldom = Random(7), []
    for number in range(120):
        at_ms, device = T0 + number * 25_000, f"seldom_{number}"
        seldom.append(event("impression", at_ms, device, "Milan", "d"))
        if number % 8 == 0:
            seldom.append(event("click", at_ms + 4000, device, "Milan", "d"))
    assert list(accused(usual(rng, 50), iter(seldom), crowd(rng, 70, 900, ctr=0.75))) == ["Italy/Unknown/Rome"]


@pytest.mark.parametrize("ctr", [0.1, 0.45])
@pytest.mark.parametrize("shown", [1.0, 0.6])
def test_a_giveaway_that_many_like_is_not_also_where_impressions_are_lost(ctr, shown):
    """It is in one city, and nobody is shown it elsewhere; at most a half of people click."""
    rng = Random(3)
    assert accused(usual(rng, 50), crowd(rng, 400, 1200, ctr=ctr, shown=shown)) == {}


def test_a_push_that_everybody_everywhere_clicks_is_not():
    """An interactive thing: nine in ten click it, in all cities."""
    rng = Random(4)
    everywhere = [crowd(rng, 120, 1200, ctr=0.9, city=city) for city in CITIES]
    assert accused(usual(rng, 50), *everywhere) == {}


@pytest.mark.parametrize("seed", range(3))
def test_one_person_who_clicks_most_of_what_comes_is_not(seed):
    """A heavy user of an account with one campaign on the air: that is for the rules about devices."""
    rng, heavy = Random(seed), []
    for number in range(75):
        at_ms = T0 + 25 * MINUTE + number * 16_000
        heavy += [(kind, at_ms + after_ms, number) for kind, after_ms in (("impression", 0), ("click", 3000))]
    own = (
        event(kind, at_ms, "heavy", "Rome", "d", identity=f"heavy_{number}")
        for kind, at_ms, number in heavy
        if kind == "impression" or rng.random() < 0.9
    )
    assert accused(usual(rng, 50), own) == {}


def test_clicks_that_nobody_was_shown_are_for_other_rules():
    """Where they are most, impressions are lost, or it is a flood: no rate means anything."""
    rng = Random(5)
    assert accused(usual(rng, 50), crowd(rng, 100, 1200, ctr=1.0, shown=0.2)) == {}


def test_impressions_that_come_late_take_it_back():
    """The clickers' came at once; those of all who did not click were four minutes on their way."""
    rng = Random(6)
    clickers = list(crowd(rng, 60, 90, ctr=1.0))
    late = [
        (at_ms + 240_000, event("impression", at_ms, f"late_{number}_{at_ms}", "Rome", "d")[1])
        for at_ms, raw in clickers
        if b"campaign.click" in raw
        for number in range(8)
    ]
    events = [*usual(rng, 40), *clickers]
    assert accused(iter(events))["Italy/Unknown/Rome"][0] != "withdrawn"
    assert accused(iter([*events, *late]))["Italy/Unknown/Rome"][0] == "withdrawn"


@given(impressions=st.integers(0, 5000), rate=st.floats(0.0, 0.5), usual_odds=st.floats(0.001, 10))
def test_people_who_click_a_half_at_most_are_never_accused(impressions, rate, usual_odds):
    """However many they are, and however seldom others click."""
    assert judge(rate * impressions, impressions, usual_odds, RULE) is None


@pytest.mark.parametrize("partitions", [3, 24, 96])
def test_a_giveaway_spread_over_many_partitions_seems_no_better_liked(partitions):
    """Each tells after a click only, so what it tells ends with one: of few impressions that is a large part."""
    rng, over = Random(partitions), 0
    for _ in range(50):
        view = view_of(giveaway(rng, partitions, 150, ctr=0.45))
        sums = told(view, told_panes(view, T0), "d", T0)
        over += judge(sums.clicks, max(sums.clicks, sums.impressions), 0.05, RULE) is not None
    assert over <= 1


def giveaway(rng: Random, partitions: int, people: int, ctr: float) -> dict[int, SubjectSums]:
    """What each partition says of a campaign at a place, pane by pane of one window."""
    panes: dict[int, SubjectSums] = {}
    counts = [[0, 0] for _ in range(partitions)]
    for number in range(people):
        source, start = rng.randrange(partitions), T0 + number * 6 // people * 10_000
        counts[source][0] += 1
        if rng.random() < ctr:
            counts[source][1] += 1
            panes.setdefault(start, SubjectSums()).merge(row(start, source, number, {"d": tuple(counts[source])}))
    return panes


def row(start_ms: int, source: int, version: int, local: Mapping[str, tuple[int, int]]) -> RollUp:
    """What a partition tells of a place in a pane."""
    return RollUp(start_ms // 1000, "acc", source, version + 1, clicks=1, clicking_devices=1, local=dict(local))


def view_of(panes: Mapping[int, SubjectSums], end_ms: int = T0 + MINUTE) -> PlaceView:
    """A place as of then."""
    return PlaceView(end_ms, 10_000, panes)


def test_of_each_partition_windows_are_counted_once():
    """What it told of last reaches back seven windows; what it told of before counts if it ends earlier."""
    panes: dict[int, SubjectSums] = {}
    said = [(0, 1, (9, 5)), (4, 1, (20, 11)), (10, 1, (30, 21)), (10, 2, (3, 3)), (17, 1, (8, 7))]
    for minute, source, counts in said:
        start = T0 + minute * MINUTE
        panes.setdefault(start, SubjectSums()).merge(row(start, source, minute, {"d": counts}))
    view = view_of(panes, T0 + 18 * MINUTE)
    assert told(view, told_panes(view, T0), "d", T0) == (7 + 29 + 2 + 8, 6 + 20 + 2 + 4, 4)


def test_what_the_place_did_before_is_not_what_others_do():
    """An attack of a quarter of an hour, of which seven minutes are told of at once; nobody is shown it elsewhere."""
    series, panes = {}, {}
    for minute in range(14):
        start, version = T0 + minute * MINUTE, minute + 1
        told_of = RollUp(start // 1000, "acc", 1, version, 5, 5, 5, 1, campaigns={"d": 5}, shown_devices=5)
        told_of = structs.replace(told_of, scripts={"web|d|1,1,1|40": 5}, local={"d": (35, 35)} if minute == 13 else {})
        series[start], panes[start] = SubjectSums(), RollUpPane(start, minute)
        series[start].merge(told_of)
        panes[start].take_totals(
            RollUp(start // 1000, "acc", 1, version, campaign_clicks={"d": 5}, campaign_told={"d": (5, 5, 5)})
        )
    view = PlaceView(T0 + 13 * MINUTE + 10_000, 10_000, series, panes=panes, account="acc")
    found = evaluate(view, RULE)
    assert found is not None
    assert found.judgement.details["campaign"] == "d"
