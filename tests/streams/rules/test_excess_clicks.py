"""What is too slow for a minute: a city that clicks what nobody was shown, ids that are reset; people are not."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import ExcessClicks
from sori.times import iso
from streams.rules.excess_clicks import ExcessCounts, believed, judge, rate_on_top, scatter
from streams.rules.place_view import PlaceView
from streams.state.place_panes import RollUp, RollUpPane
from testkit.both_hops import place_alerts
from testkit.records import body

T0 = 1_760_419_200_000
RULE = ExcessClicks()
Came = tuple[int, bytes]


def event(kind: str, at_ms: int, device: str, city: str = "Rome") -> Came:
    """One event of the campaign."""
    place = {"viewer_country": "Italy", "viewer_region": "", "viewer_city": city}
    name, identity = f"campaign.{kind}", f"of_{device}"
    return at_ms, body(event=name, created_at=iso(at_ms), activity_id=identity, device_id=device, geolocation=place)


def usual(rng: Random, minutes: int) -> Iterator[Came]:
    """A small account: two impressions a minute in each of two cities, one in twenty clicked."""
    for number in range(minutes * 4):
        at_ms, city = T0 + number * 15_000, rng.choice(("Rome", "Milan"))
        yield event("impression", at_ms, f"usual_{number}", city)
        if number % 20 == 0:
            yield event("click", at_ms + 4000, f"usual_{number}", city)


def crowd(rng: Random, count: int, within_s: int, *, ctr: float, shown: float) -> Iterator[Came]:
    """So many devices of one city, from 25 minutes on: each is shown it, or not, and clicks it, or not."""
    for number in range(count):
        at_ms, device = T0 + 1_500_000 + rng.randrange(within_s * 1000), f"crowd_{number}"
        if rng.random() < shown:
            yield event("impression", at_ms, device)
        if rng.random() < ctr:
            yield event("click", at_ms + 1000 + int(rng.lognormvariate(1.5, 0.7) * 1000), device)


def accused(*traffic: Iterator[Came]) -> set[str]:
    """Whom excess_clicks accused."""
    events = sorted(one for part in traffic for one in part)
    return {alert["subject"] for alert in place_alerts(events).values() if alert["rule"] == "excess_clicks"}


@pytest.mark.parametrize(
    ("count", "within_s", "ctr", "shown"),
    [(585, 2700, 1.0, 0.0), (60, 1500, 1.0, 0.0), (90, 1200, 0.9, 1.0)],
    ids=["a city of ghosts", "a few of them", "ids that are reset"],
)
def test_a_small_account_s_slow_attack_is_found(count, within_s, ctr, shown):
    """Thirteen clicks a minute by as many devices, and fewer: no minute of it stands out."""
    rng = Random(count)
    found = accused(usual(rng, 75), crowd(rng, count, within_s, ctr=ctr, shown=shown))
    assert "Italy/Unknown/Rome" in found
    assert "Italy/Unknown/Milan" not in found


def made_up(rng: Random, count: int, within_s: int, *, ctr: float) -> Iterator[Came]:
    """Devices of a server, from 22 minutes on, evenly over cities: each is shown the campaign once, many click."""
    for number in range(count):
        at_ms, device = T0 + 1_320_000 + rng.randrange(within_s * 1000), f"made_up_{number}"
        city = f"city_{number % 40}"
        yield event("impression", at_ms, device, city)
        if rng.random() < ctr:
            yield event("click", at_ms + 1000 + int(rng.lognormvariate(1.2, 0.4) * 1000), device, city)


def accounts_day(rng: Random, minutes: int) -> Iterator[Came]:
    """Twelve impressions a minute of the campaign in forty cities, one in thirty clicked."""
    for number in range(minutes * 12):
        at_ms, city = T0 + number * 5_000 + rng.randrange(5000), f"city_{rng.randrange(40)}"
        yield event("impression", at_ms, f"day_{number}", city)
        if number % 30 == 0:
            yield event("click", at_ms + 4000, f"day_{number}", city)


@pytest.mark.parametrize("seed", range(2))
def test_devices_that_a_server_makes_up_are_found_before_the_window_is_full(seed):
    """More than half of the campaign's impressions for ten minutes, and in no city more than a few."""
    rng = Random(seed)
    assert accused(accounts_day(rng, 36), made_up(rng, 160, 600, ctr=0.85)) == {"cmp_1"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [160, 900])
def test_a_push_of_which_nearly_half_is_clicked_is_not(seed, count):
    """The same, but people."""
    rng = Random(seed)
    assert accused(accounts_day(rng, 36), made_up(rng, count, 600, ctr=0.45)) == set()


def test_another_account_s_flood_hides_nobody():
    """What is believed of a small account is asked of others, too: one of them clicks what nobody was shown."""
    rng = Random(60)
    flood = ((T0 + number * 300, elsewhere(number)) for number in range(5000))
    found = accused(usual(rng, 75), crowd(rng, 60, 1500, ctr=1.0, shown=0.0), flood)
    assert "Italy/Unknown/Rome" in found


def elsewhere(number: int) -> bytes:
    """A click of a device of its own, in another account."""
    return body(
        account_id="acc_hostile",
        event="campaign.click",
        created_at=iso(T0 + number * 300),
        activity_id=f"flood_{number}",
        device_id=f"flood_{number}",
        geolocation={"viewer_country": "France", "viewer_region": "", "viewer_city": "Lyon"},
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_giveaway_that_many_like_is_not(seed):
    """Two fifths click, once, for half an hour, and some impressions are lost."""
    rng = Random(seed)
    assert accused(usual(rng, 75), crowd(rng, 500, 1800, ctr=0.4, shown=0.9)) == set()


@pytest.mark.parametrize("seed", range(3))
def test_what_many_like_after_a_spot_is_not(seed):
    """A code on a screen, of which two fifths are clicked; a spot before it had more impressions, and few clicks."""
    rng = Random(seed)
    spot = [(T0 + 2_000_000 + rng.randrange(150_000), f"spot_{number}") for number in range(400)]
    code = [(T0 + 3_300_000 + int(rng.lognormvariate(2.8, 0.9) * 1000), f"code_{number}") for number in range(260)]
    heard = [event("impression", at_ms, device) for at_ms, device in (*spot, *code)]
    clicked = [event("click", at_ms + 3000, device) for at_ms, device in spot if rng.random() < 0.05]
    clicked += [event("click", at_ms + 3000, device) for at_ms, device in code if rng.random() < 0.42]
    assert accused(usual(rng, 90), iter(heard), iter(clicked)) == set()


@given(
    impressions=st.integers(0, 5000),
    rate=st.floats(0.0, 0.45),
    past=st.integers(0, 5000),
    past_rate=st.floats(0.0, 0.3),
    lost=st.floats(0.0, 0.6),
)
def test_people_who_click_less_than_half_are_never_accused_if_their_impressions_come_or_are_lost(
    impressions, rate, past, past_rate, lost
):
    """However many they are, whatever was before."""
    clicked, seen = round(rate * impressions), round(impressions * (1 - lost))
    counts = ExcessCounts(
        devices=clicked,
        impressions=past + seen,
        shown=1 - lost,
        known=clicked,
        past_devices=round(past_rate * past),
        past_impressions=past,
        past_shown=1 - lost,
        part=1.0,
        believed_ctr=0.05,
    )
    found = judge(counts, RULE)
    assert found is None or rate > 0.4


def told(pane_s: int, impressions: int, shown: int) -> RollUpPane:
    """A pane in which one source tells of a campaign: impressions, and devices that clicked what they were shown."""
    pane, of_campaign = RollUpPane(pane_s * 1000, 0), {"cmp": (impressions, shown, shown)}
    pane.take_totals(RollUp(pane_s, "acc", 0, 1, campaign_clicks={"cmp": shown}, campaign_told=of_campaign))
    return pane


def test_a_click_for_whose_sake_a_pane_is_told_says_nothing_of_the_rate():
    """Of a campaign that is clicked once in forty times, panes with a click have two impressions each."""
    now = PlaceView(600_000, 10_000, {}, panes={s * 1000: told(s, 2, 1) for s in range(0, 600, 20)}, account="acc")
    assert believed(now, 0, 600_000, 100) < 0.02
    busy = PlaceView(600_000, 10_000, {}, panes={s * 1000: told(s, 200, 10) for s in range(0, 600, 20)}, account="acc")
    assert 0.04 < believed(busy, 0, 600_000, 100) < 0.05


def test_other_accounts_do_not_teach_that_people_click_much():
    """What is attacked elsewhere is clicked by half; of an account of which nothing is known a twelfth is believed."""
    attacked = {s * 1000: told(s, 20, 10) for s in range(0, 600, 10)}
    assert believed(PlaceView(600_000, 10_000, {}, panes=attacked, account="other"), 0, 600_000, 100) == 0.08
    assert believed(PlaceView(600_000, 10_000, {}, panes=attacked, account="acc"), 0, 600_000, 100) > 0.4


def test_what_an_account_s_campaigns_say_is_not_added_up_anew_for_each_of_them(monkeypatch):
    """An account may have any number of campaigns, all of them under attack."""
    view = PlaceView(600_000, 10_000, {}, panes={s * 1000: told(s, 200, 10) for s in range(0, 600, 20)}, account="acc")
    before = believed(view, 0, 600_000, 100)
    for pane in view.panes.values():
        monkeypatch.setattr(pane, "totals", None)
    assert believed(view, 0, 600_000, 100) == before


@given(past=st.integers(0, 2000), clicks=st.integers(0, 200), more=st.integers(0, 200), scatter=st.floats(1.0, 2.0))
def test_the_more_is_usual_the_less_is_known_of_what_is_on_top(past, clicks, more, scatter):
    """And nothing on top is ever more than there were clicks."""
    fields = {"shown": 1.0, "known": clicks, "past_devices": 0, "past_shown": 1.0, "part": 1.0, "believed_ctr": 0.0}
    few = ExcessCounts(clicks, more, past_impressions=0, **fields)
    many = ExcessCounts(clicks, past + more, past_impressions=past, scatter=scatter, **fields)
    bounds = rate_on_top(clicks, many, 0.5), rate_on_top(clicks, few, 0.5)
    assert 0.0 <= bounds[0] <= bounds[1] + 1e-9 <= 1.0 + 1e-9


def on_top(clicks: int, impressions: int, shown: float) -> ExcessCounts:
    """Of a subject that had nothing before: so many clicking devices, of whom that share was shown it."""
    return ExcessCounts(clicks, impressions, shown, clicks, 0, 0, 0.0, 1.0, 0.01)


def test_a_quick_judgement_convicts_nobody_for_clicks_that_lack_their_impression():
    """They may be on their way."""
    assert judge(on_top(60, 60, 0.0), RULE) is not None
    assert judge(on_top(60, 60, 0.0), RULE, by_loss=False) is None
    assert judge(on_top(60, 60, 1.0), RULE, by_loss=False) is not None


def test_a_quick_judgement_asks_for_more_certainty():
    """There are more of them."""
    sure = [n for n in range(15, 40) if judge(on_top(n, 45, 1.0), RULE)]
    quick = [n for n in range(15, 40) if judge(on_top(n, 45, 1.0), RULE, by_loss=False)]
    assert sure[0] < quick[0]


def test_a_spot_in_the_past_says_little_of_how_far_minutes_scatter():
    """Else what was on the air before would excuse what comes now."""
    assert scatter([10, 10, 10, 10], 1) == 1.0
    assert scatter([10, 10, 5000, 10], 1) == 2.0
