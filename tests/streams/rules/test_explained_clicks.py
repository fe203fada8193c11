"""A push lifts everybody once, a flood clicks what nobody was shown: the same rate, through both hops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.times import iso
from streams.rules.explained_clicks import Clicked, shown_first
from streams.state.place_panes import ClickDetails, SubjectSums
from testkit.both_hops import place_alerts
from testkit.records import body

T0 = 1_760_419_200_000
PLACE = {"viewer_country": "Italy", "viewer_region": "Lazio", "viewer_city": "Rome"}
RATES = {"geo_click_burst", "geo_ctr_anomaly", "ctr_anomaly"}


def event(kind: str, at_ms: int, device: str, identity: str) -> tuple[int, bytes]:
    """One event of the campaign in the city."""
    raw = body(
        event=f"campaign.{kind}", created_at=iso(at_ms), activity_id=identity, device_id=device, geolocation=PLACE
    )
    return at_ms, raw


def traffic(minute: int, per_click: float, *, shown: bool) -> list[tuple[int, bytes]]:
    """Half an hour of an impression every two seconds, one in fifty clicked; then a minute of 200 clicks.

    Each of those belongs to an impression (`shown`), or to none, and there are as many impressions either way.
    """
    events = []
    for number in range(900):
        at_ms = T0 + number * 2000
        events.append(event("impression", at_ms, f"usual_{number}", f"u{number}"))
        if number % 50 == 0:
            events.append(event("click", at_ms + 5000, f"usual_{number}", f"u{number}"))
    for number in range(int(200 * per_click)):
        at_ms = T0 + minute * 60_000 + int(number * 50_000 / (200 * per_click))
        events.append(event("impression", at_ms, f"heard_{number}", f"h{number}"))
        if number % per_click < 1:
            name = f"heard_{number}" if shown else f"bot_{number}"
            events.append(
                event("click", at_ms + 3000 + number % 7 * 500, name, f"h{number}" if shown else f"b{number}")
            )
    return sorted(events)


def alerts(events: list[tuple[int, bytes]], *, old: bool = False) -> set[str]:
    """Rules about rates that fire; `old`: hop 1 is of a version that did not tell of shown devices."""
    told = {"shown_devices", "campaign_told"} if old else set()
    found = place_alerts(events, lambda row: {name: value for name, value in row.items() if name not in told})
    return {alert["rule"] for alert in found.values()} & RATES


@pytest.mark.parametrize("per_click", [3, 4, 5])
def test_a_push_that_lifts_everybody_once_is_silent(per_click):
    """A rate of 20 to 33 % in one city within a minute, many times what it was, each click shown to its device."""
    assert alerts(traffic(28, per_click, shown=True)) == set()


@pytest.mark.parametrize("per_click", [3, 4])
def test_as_many_clicks_that_nobody_was_shown_are_not(per_click):
    """The same rate, and the same impressions, of other devices."""
    assert {"geo_click_burst", "ctr_anomaly"} <= alerts(traffic(28, per_click, shown=False))


def test_where_hop_1_is_of_an_older_version_a_rate_is_judged_as_it_was():
    """Nothing is known of what was shown, so nothing is explained: a rolling upgrade keeps the rules awake."""
    assert alerts(traffic(28, 3, shown=True), old=True)


@given(
    devices=st.integers(1, 5000),
    again=st.integers(0, 5000),
    shown=st.integers(0, 5000),
    impressions=st.integers(0, 20_000),
)
def test_few_shown_many_clicks_each_or_few_impressions_are_never_explained(devices, again, shown, impressions):
    """Whatever else there is."""
    shown = min(shown, devices)
    details = ClickDetails(clicking_devices=devices, shown_devices=shown)
    sums = SubjectSums(clicks=devices + again, impressions=impressions, details=details)
    if shown_first(Clicked.of([sums], [sums]), impressions):
        assert shown >= 0.6 * devices
        assert again <= 0.15 * devices
        assert 2 * sums.clicks <= impressions


@pytest.mark.parametrize(("early", "late", "says"), [(0.3, 0.8, True), (0.3, 0.4, False), (0.8, 0.4, False)])
def test_clicks_early_in_a_window_are_left_out_where_their_impressions_are_of_the_one_before(early, late, says):
    """Those panes are asked of which it is known; where there are too few clicks in them, a quarter is enough."""
    first, then = (
        SubjectSums(clicks=count, details=ClickDetails(clicking_devices=count, shown_devices=round(share * count)))
        for count, share in ((40, early), (160, late))
    )
    assert shown_first(Clicked.of([first, then], [then]), 1000) is says
    assert shown_first(Clicked.of([first], []), 1000) is (early > 0.5)
