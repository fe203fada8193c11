"""Properties of the traffic model that hold for every seed."""

from collections import Counter, defaultdict
from itertools import pairwise

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.catalog import HIGHEST_CTR, LOWEST_CTR
from simulator.scenarios import SCENARIOS
from simulator.traffic import generate, plan
from simulator.world import World
from sori.events import CLICK, IMPRESSION, decode

START_MS = 1_790_000_000_000
seeds = st.integers(0, 2**32)
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def events_of(scenario: str, seed: int, duration_s: float = 20, rate: float = 100, wanted=lambda _: True):
    """Each wanted event once, with its first delivery and its decoded form."""
    seen = {}
    for planned in generate(SCENARIOS[scenario], seed, START_MS, duration_s, rate):
        if wanted(planned):
            seen.setdefault(planned.number, planned)
    return [(p, decode(orjson.dumps(p.body))) for p in seen.values()]


def clicks_in_a_minute(events) -> int:
    """The most clicks that one device makes within 60 s."""
    times = defaultdict(list)
    for planned, event in events:
        if event.name == CLICK and event.device_id:
            times[event.device_id].append(planned.event_time_ms)
    most = 0
    for moments in times.values():
        moments.sort()
        most = max(most, *(sum(t <= m < t + 60_000 for m in moments) for t in moments))
    return most


@few
@given(seed=seeds, scenario=st.sampled_from(sorted(SCENARIOS)))
def test_every_event_is_one_of_the_contract_and_tells_its_planned_time(seed, scenario):
    """created_at, however it is written, is the event time of the plan."""
    for planned, event in events_of(scenario, seed, 10, 60):
        assert event.created_ms == planned.event_time_ms
        assert "timestamp" not in planned.body


@few
@given(seed=seeds, scenario=st.sampled_from(sorted(SCENARIOS)))
def test_deliveries_come_in_the_order_of_sending_and_never_before_their_event(seed, scenario):
    """Disorder is bounded by the scenario."""
    deliveries = list(generate(SCENARIOS[scenario], seed, START_MS, 10, 60))
    assert all(a.send_time_ms <= b.send_time_ms for a, b in pairwise(deliveries))
    copies = Counter(p.number for p in deliveries)
    for p in deliveries:
        assert p.send_time_ms > p.event_time_ms
        assert copies[p.number] == p.copies
        assert START_MS - 1000 <= p.event_time_ms < START_MS + 10_000
        assert p.send_time_ms <= START_MS + 10_000 + SCENARIOS[scenario].disorder_ms + 3


@few
@given(seed=seeds)
def test_a_legitimate_click_follows_an_impression_with_its_activity_id(seed):
    """And comes from the same device, campaign and place, after a human delay."""
    impressions = {}
    for planned, event in sorted(events_of("demo", seed), key=lambda pair: pair[0].event_time_ms):
        if planned.label is not None:
            continue
        if event.name == IMPRESSION:
            assert event.activity_id not in impressions
            impressions[event.activity_id] = event
        elif event.name == CLICK:
            shown = impressions[event.activity_id]
            assert (shown.device_id, shown.campaign_id) == (event.device_id, event.campaign_id)
            assert event.created_ms - shown.created_ms >= 200  # 1.2 s, less what rounding down may take


@few
@given(seed=seeds)
def test_no_person_clicks_as_a_script_does(seed):
    """Legitimate devices stay far below twenty clicks a minute, flash crowd included."""
    people = events_of("demo", seed, 100, 150, lambda p: p.label is None and p.body["event"] == CLICK)
    assert clicks_in_a_minute(people) <= 6


@few
@given(seed=seeds, rate=st.sampled_from([50, 300, 1500]))
def test_attacks_are_unmistakable_and_labelled_where_they_happen(seed, rate):
    """At any rate the demo's floods stand far above the rules' floors, inside their window, at their subject."""
    made = plan(SCENARIOS["demo"], seed, START_MS, 20, rate)
    events = events_of("demo", seed, 20, rate, lambda p: p.label is not None)
    assert {attack.rule for attack in made.attacks} == {"device_click_burst", "geo_click_burst"}
    for attack in made.attacks:
        mine = [(p, e) for p, e in events if p.label == attack.id]
        clicks = [e for _, e in mine if e.name == CLICK]
        devices = {e.device_id for _, e in mine}
        assert all(attack.start_ms - 1000 <= p.event_time_ms < attack.end_ms for p, _ in mine)
        assert {e.account_id for _, e in mine} == {attack.account_id}
        if attack.subject_kind == "device":
            assert devices == {attack.subject}
            assert len(clicks) >= 50
        else:
            here = [e for _, e in mine if "/".join(e.place) == attack.subject]
            assert len(here) >= 0.9 * len(mine)  # GeoIP does not always know
            assert len(clicks) >= 150
            assert max(Counter(e.device_id for e in clicks).values()) <= 8
            assert len(devices) >= 40
    assert {p.label for p, _ in events} == {attack.id for attack in made.attacks}


@few
@given(seed=seeds)
def test_a_flash_crowd_shows_many_devices_in_one_place_and_clicks_as_usual(seed):
    """Its impressions tower over its place's past, its click-through rate does not."""
    made = plan(SCENARIOS["flash-crowd"], seed, START_MS, 60, 500)
    (crowd,) = made.crowds
    events = events_of("flash-crowd", seed, 60, 500, lambda p: p.body["account_id"] == crowd.account_id)
    here = [(p, e) for p, e in events if "/".join(e.place) == crowd.subject]
    before = sum(e.name == IMPRESSION and p.event_time_ms < crowd.start_ms for p, e in here)
    during = [e for p, e in here if crowd.start_ms <= p.event_time_ms < crowd.end_ms]
    shown = sum(e.name == IMPRESSION for e in during)
    past_per_s = before / ((crowd.start_ms - START_MS) / 1000)
    during_per_s = shown / ((crowd.end_ms - crowd.start_ms) / 1000)
    assert len({e.device_id for e in during if e.name == IMPRESSION}) > 2000
    assert during_per_s > 2.5 * past_per_s
    assert sum(e.name == CLICK for e in during) < 0.15 * shown
    assert made.attacks == ()


@few
@given(seed=seeds, rate=st.sampled_from([20, 100, 500]))
def test_the_rate_is_kept_on_average(seed, rate):
    """As the option says."""
    events = events_of("calm", seed, 30, rate)
    assert 0.75 * rate < len(events) / 30 < 1.25 * rate


@few
@given(seed=seeds)
def test_the_rate_is_there_from_the_first_seconds(seed):
    """Sessions are under way when the run begins."""
    events = events_of("calm", seed, 6, 1000)
    for start in (0, 3):
        part = sum(START_MS + start * 1000 <= p.event_time_ms < START_MS + (start + 3) * 1000 for p, _ in events)
        assert 0.88 * 1000 < part / 3 < 1.12 * 1000


@few
@given(seed=seeds)
def test_two_plans_of_one_seed_are_the_same_and_two_seeds_differ(seed):
    """Body for body, time for time."""
    once = list(generate(SCENARIOS["demo"], seed, START_MS, 10, 60))
    again = plan(SCENARIOS["demo"], seed, START_MS, 10, 60)
    assert once == list(again.deliveries()) == list(again.deliveries())
    assert once != list(generate(SCENARIOS["demo"], seed + 1, START_MS, 10, 60))


@few
@given(seed=seeds, later=st.integers(0, 3_500_000 - 20_000))
def test_a_plan_moved_within_the_hour_differs_in_its_times_only(seed, later):
    """So a seed names a plan, whenever it is run."""
    hour = START_MS - START_MS % 3_600_000
    one = generate(SCENARIOS["demo"], seed, hour, 10, 60)
    two = generate(SCENARIOS["demo"], seed, hour + later - later % 1000, 10, 60)
    for a, b in zip(one, two, strict=True):
        assert a.body | {"created_at": ""} == b.body | {"created_at": ""}
        assert a.label == b.label


@given(seed=seeds, rate=st.floats(1, 5000))
@few
def test_campaigns_have_realistic_click_through_rates_and_devices_distinct_ids(seed, rate):
    """0.5 to 8 %; campaign ids are the same for every seed, so that an option can name one."""
    world = World(seed, rate)
    campaigns = [c for account in world.accounts for c in account.campaigns]
    assert all(LOWEST_CTR <= c.ctr <= HIGHEST_CTR for c in campaigns)
    assert {c.id for c in campaigns} == {c.id for a in World(0, 1).accounts for c in a.campaigns}
    account = world.accounts[0]
    place = account.places[0]
    assert len({account.device(place, n).id for n in range(1000)}) == 1000


def test_optional_fields_come_null_and_omitted_and_times_in_several_forms():
    """What the contract allows is exercised: null, left out, legacy duplicates, Unknown, fractions and offsets."""
    bodies = [p.body for p in generate(SCENARIOS["calm"], 3, START_MS, 60, 200)]
    for name in ("platform", "metadata", "geolocation", "material"):
        relevant = [b for b in bodies if b["event"] == IMPRESSION]
        assert any(name not in b for b in relevant), name
        assert any(name in b and b[name] is None for b in relevant), name
    assert any("event_type" in b for b in bodies)
    assert any("Unknown" in str(b.get("geolocation")) for b in bodies)
    forms = {len(str(b["created_at"])) for b in bodies}
    assert len(forms) >= 6
    assert any(str(b["event"]).startswith("admin.material.") for b in bodies)


def test_the_day_has_its_ups_and_downs():
    """Over a day the busiest hour of one market has several times the events of its quietest."""
    hours = Counter()
    for p in generate(SCENARIOS["calm"], 5, START_MS - START_MS % 86_400_000, 86_400, 0.5):
        if p.body["account_id"] == "acc_204817":
            hours[p.event_time_ms // 3_600_000] += 1
    assert max(hours.values()) > 3 * min(hours[h] for h in hours)


@pytest.mark.parametrize(("duration_s", "rate"), [(0, 10), (10, 0), (-1, 10)])
def test_nothing_to_send_is_an_error(duration_s, rate):
    """Rather than an empty run that proves nothing."""
    with pytest.raises(ValueError, match="above zero"):
        plan(SCENARIOS["calm"], 1, START_MS, duration_s, rate)
