"""Phones that click one campaign again and again behind people's backs; keen people do not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import ReturningClickers, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.place import PlaceOperator
from streams.rules.returning_clickers import Stretch, judge, stretches
from streams.state.policy import TimePolicy
from testkit.both_hops import Row, place_alerts
from testkit.records import FakeRecord, body
from tests.streams.test_exactness import Stop, resumed_beside_whole

T0 = 1_760_419_200_000
MINUTE = 60_000
RULE = ReturningClickers()
Came = tuple[int, bytes]


def event(kind: str, at_ms: int, device: str, identity: str, campaign: str = "a") -> Came:
    """One event."""
    name = f"campaign.{kind}"
    return at_ms, body(
        event=name, created_at=iso(at_ms), activity_id=identity, device_id=device, campaign={"id": campaign}
    )


def visits(  # noqa: PLR0917 - what people and phones differ in
    rng: Random, devices: int, each: int, ctr: float, minutes: int = 30, shown: float = 1.0, campaign: str = "a"
) -> Iterator[Came]:
    """From minute 5 on each device is shown the campaign so often, and clicks it or not."""
    for device in range(devices):
        for number in range(each):
            at_ms = T0 + 5 * MINUTE + rng.randrange(minutes * MINUTE)
            identity = f"{campaign}_{device}_{number}"
            if rng.random() < shown:
                yield event("impression", at_ms, f"{campaign}_{device}", identity, campaign)
            if rng.random() < ctr:
                yield event("click", at_ms + 3000, f"{campaign}_{device}", identity, campaign)


def crowd(rng: Random, minutes: int = 45, campaign: str = "a") -> Iterator[Came]:
    """A busy campaign: each second somebody else is shown it, and one in ten clicks it."""
    for number in range(minutes * 60):
        at_ms, identity = T0 + number * 1000, f"crowd_{campaign}_{number}"
        yield event("impression", at_ms, identity, identity, campaign)
        if rng.random() < 0.1:
            yield event("click", at_ms + 4000, identity, identity, campaign)


def alerts(*traffic: Iterator[Came]) -> list[Row]:
    """The rule's alerts."""
    events = sorted(one for part in traffic for one in part)
    return [alert for alert in place_alerts(events).values() if alert["rule"] == "returning_clickers"]


def accused(*traffic: Iterator[Came]) -> list[str]:
    """Whom it accused."""
    return sorted({alert["subject"] for alert in alerts(*traffic)})


@pytest.mark.parametrize("shown", [1.0, 0.3])
@pytest.mark.parametrize("beside", [False, True])
def test_phones_that_click_a_campaign_ten_times_are_found_in_any_crowd(shown, beside):
    """Twenty of them, in half an hour, whether they show what they click or not."""
    rng = Random(1)
    phones = visits(rng, 20, 10, 1.0, shown=shown)
    found = alerts(phones, crowd(rng)) if beside else alerts(phones)
    assert {alert["subject"] for alert in found} == {"a"}
    assert max(alert["observed"] for alert in found) <= 20
    assert min(alert["evidence"]["taps"] for alert in found) > 5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("each", [6, 12, 25])
def test_keen_people_are_not(seed, each):
    """Who open a push again and again, and click nearly half of what they see; kiosks, game consoles."""
    assert accused(visits(Random(seed), 150, each, 0.45)) == []


def test_nor_is_a_team_that_tries_its_campaign():
    """Three phones, and each thing is clicked."""
    assert accused(visits(Random(2), 3, 10, 1.0)) == []


def test_nor_who_clicks_twice():
    """However many they are: people like a thing."""
    assert accused(visits(Random(3), 200, 2, 1.0)) == []


def test_nor_is_anybody_where_impressions_are_lost():
    """More than half of them: three in ten look like seven. But phones whose own come are not excused by that."""
    rng = Random(4)
    lost = [visits(rng, 60, 16, 0.3, shown=0.45, campaign=name) for name in ("b", "c", "d")]
    assert accused(*lost) == []
    lost = [visits(rng, 60, 16, 0.3, shown=0.45, campaign=name) for name in ("b", "c", "d")]
    assert accused(*lost, visits(rng, 12, 10, 1.0)) == ["a"]


def test_an_echo_of_a_tap_is_no_return():
    """An SDK that tells each tap twice does so within the pane, or the next one."""
    rng = Random(5)
    twice = [
        (came + 200, raw.replace(b'"of_', b'"again_'))
        for came, raw in visits(rng, 60, 2, 1.0)
        for raw in [raw]
        if b"campaign.click" in raw
    ]
    assert accused(visits(Random(5), 60, 2, 1.0), iter(twice)) == []


def test_an_attack_that_is_over_is_not_raised_again_by_people():
    """One who came back once is told of for the rest of the hour."""
    rng, late = Random(6), []
    for number in range(20):
        at_ms = T0 + 45 * MINUTE + number * 30_000
        late += [event("click", at_ms, f"person_{number // 2}", f"late_{number}")]
        late += [event("impression", at_ms - 3000, f"person_{number // 2}", f"late_{number}")]
    found = alerts(visits(rng, 20, 14, 1.0), iter(late))
    assert found
    assert max(alert["opened_at"] for alert in found) < iso(T0 + 41 * MINUTE)


def phones(devices: int, *told: tuple[int, int]) -> dict[int, list[Stretch]]:
    """So many devices that did the same: of each stretch taps and impressions."""
    return {device: [Stretch(T0 + at, *one) for at, one in enumerate(told)] for device in range(devices)}


def test_its_bounds():
    """Four devices, more clicks than chance gives, and half of what they were shown in the stretch before."""
    some, enough = (3, 4), ((3, 4), (3, 4))
    assert judge(phones(4, some, *enough), RULE) is not None
    assert judge(phones(3, some, *enough, *enough), RULE) is None
    assert judge(phones(4, some, (3, 5)), RULE) is None
    assert judge(phones(40, (1, 4), *enough), RULE) is None
    assert judge(phones(40, (2, 4), *enough), RULE) is not None
    assert judge(phones(50, (1, 2), (1, 2)), RULE) is None
    assert judge(phones(4, some, *enough), RULE, since_ms=T0 + 2) is not None
    assert judge(phones(4, some, *enough), RULE, since_ms=T0 + 3) is None


def test_how_many_clicks_are_enough():
    """Of who clicks half, given one: three of three are 1.29 more than usual, two are 0.29, with 0.49 of variance."""
    keen = {number: [Stretch(0, 1, 2), Stretch(1, 2, 4)] for number in range(10, 13)}
    assert judge(phones(2, (1, 2), (3, 4)) | keen, RULE) is None
    assert judge(phones(3, (1, 2), (3, 4)) | keen, RULE) is not None


def test_as_many_more_are_taken_for_shown_as_are_lost():
    """Who is shown four things and clicks three is no person; four of eight may be one."""
    assert judge(phones(12, (3, 4), (3, 4)), RULE) is not None
    assert judge(phones(12, (3, 4), (3, 4)), RULE, kept=0.5) is None


def test_windows_count_once():
    """What is told in the next windows tells of the same ones again."""
    told = [(T0 + minute * MINUTE, [(7, minute + 1, 10), (8, 1, 1)][: 2 - minute % 2]) for minute in range(16)]
    assert stretches(told, MINUTE) == {
        7: [Stretch(T0, 1, 10), Stretch(T0 + 7 * MINUTE, 7, 10), Stretch(T0 + 14 * MINUTE, 14, 10)],
        8: [Stretch(T0, 1, 1), Stretch(T0 + 8 * MINUTE, 1, 1)],
    }
    assert stretches(told[:7], MINUTE) == {}


@given(taps=st.lists(st.integers(0, 8), min_size=1, max_size=40), seed=st.integers(0, 3))
def test_who_clicks_half_is_not_found_more_often_than_said(taps, seed):
    """Whatever had them looked at."""
    rng = Random(seed)
    drawn = [(sum(rng.random() < 0.5 for _ in range(8)), 9) for _ in taps]
    found = {n: [Stretch(0, 8, 9), Stretch(1, max(1, made), shown)] for n, (made, shown) in enumerate(drawn)}
    assert judge(found, RULE) is None


def told_records(rng: Random, minutes: int) -> list[FakeRecord]:
    """Roll-ups of a campaign that ten phones come back to, each pane told twice, some late."""
    records = []
    for number in range(minutes * 6):
        pane = max(0, number - rng.choice((0, 0, 0, 5)))
        for more in (0, 1):
            row = {
                "pane_start": T0 // 1000 + pane * 10,
                "account_id": "acc",
                "source_partition": 0,
                "version": 2 * number + more,
                "campaign_id": "a",
                "impressions": 2 + more,
                "clicks": 2,
                "clicking_devices": 2,
                "shown_devices": 2,
                "samples": [f"act_{pane}"],
                "returning": [[rng.randrange(10), rng.randint(3, 6), rng.randint(2, 6)] for _ in range(1 + more)],
            }
            records.append(FakeRecord(orjson.dumps(row), 3 * len(records), timestamp=T0))
    return records


@pytest.mark.parametrize("seed", range(4))
def test_whoever_resumes_accuses_as_if_it_had_never_stopped(seed):
    """From any commit: the rule looks at what is held, and at nothing else."""
    rng, policy = Random(seed), TimePolicy(10_000, 60_000, 3_600_000, 10**12)
    records, make = told_records(rng, 40), partial(PlaceOperator, 0, policy, RulesSettings())
    stops = [Stop(at, []) for at in range(20, len(records), 20)]
    for resumed, whole in resumed_beside_whole(make, records, stops, rng.randrange(len(stops))):
        assert resumed == whole
    whole = make(None)
    whole.apply(records)
    alerts = [orjson.loads(one.value) for one in whole.flush()[0] if one.topic is FRAUD_ALERTS]
    assert "returning_clickers" in {alert["rule"] for alert in alerts}
