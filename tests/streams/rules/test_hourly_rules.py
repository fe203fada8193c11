"""One device that goes on and on, for up to an hour: what hop 1 tells of it, and what hop 2 judges."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import msgspec
import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
STREAMS = StreamsSettings()
HOURLY = {"hourly_ctr", "hourly_fast_click", "hourly_sign_ins"}


class Did(NamedTuple):
    """What a device did: when it happened, and how much later it came; seconds."""

    at_s: float
    event: str
    device: str
    identity: str
    campaign: str = "cmp_1"
    late_s: float = 0.0


def shown_and_clicked(
    device: str, every_s: float, until_s: float, *, ctr: float, after_s: tuple[float, float], seed: int = 0
) -> list[Did]:
    """One thing after the other is shown, and some of it clicked so long after."""
    rng, found, at_s = Random(f"{device}/{seed}"), list[Did](), 0.0
    while (at_s := at_s + rng.uniform(0.5, 1.5) * every_s) < until_s:
        name, campaign = f"{device}_{at_s:.3f}", f"cmp_{rng.randrange(4)}"
        found.append(Did(at_s, "campaign.impression", device, name, campaign))
        if rng.random() < ctr:
            found.append(Did(at_s + rng.uniform(*after_s), "campaign.click", device, name, campaign))
    return found


def signed_in(device: str, every_s: float, until_s: float) -> list[Did]:
    """A device that authenticates."""
    return [Did(n * every_s, "authentication", device, f"{device}_{n}") for n in range(int(until_s / every_s))]


def alerts(did: list[Did], rules: RulesSettings | None = None) -> dict[str, dict[str, Any]]:
    """The newest state of all alerts by id, after both hops; flushed every few events, as they come in."""
    rules = rules or RulesSettings()
    hop_1 = DeviceOperator(0, TimePolicy.of(STREAMS), rules)
    hop_2 = PlaceOperator(0, TimePolicy.of_places(STREAMS), rules)
    found: dict[str, dict[str, Any]] = {}
    newest_ms = 0
    for number, one in enumerate(sorted(did, key=lambda one: one.at_s + one.late_s)):
        raw = body(
            event=one.event,
            created_at=iso(T0 + int(one.at_s * 1000)),
            activity_id=one.identity,
            device_id=one.device,
            campaign={"id": one.campaign},
        )
        came_ms = T0 + int((one.at_s + one.late_s) * 1000)
        hop_1.apply([FakeRecord(raw, number, timestamp=came_ms)])
        newest_ms = max(newest_ms, T0 + int(one.at_s * 1000))
        if number % 5 == 4 or number == len(did) - 1:
            outputs = hop_1.flush()[0]
            roll_ups = [one for one in outputs if one.topic is GEO_ROLLUPS]
            hop_2.apply([FakeRecord(one.value, hop_2.next_offset + n) for n, one in enumerate(roll_ups)])
            for output in (*outputs, *hop_2.flush()[0]):
                if output.topic is FRAUD_ALERTS:
                    alert = orjson.loads(output.value)
                    assert alert["opened_at"] <= iso(newest_ms)  # nothing is found before it happened
                    found[alert["alert_id"]] = alert
    return found


def accused(did: list[Did]) -> set[tuple[str, str]]:
    """Whom the hourly rules accuse, and which of them."""
    return {
        (one["subject"], one["rule"])
        for one in alerts(did).values()
        if one["rule"] in HOURLY and one["state"] != "withdrawn"
    }


def people(count: int, *, ctr: float = 0.03) -> list[Did]:
    """Others of the account."""
    made: list[Did] = []
    for number in range(count):
        made += shown_and_clicked(f"person{number}", 60, 3000, ctr=ctr, after_s=(2, 9))
        made.append(Did(1, "authentication", f"person{number}", f"auth{number}"))
    return made


@pytest.mark.parametrize(
    ("did", "rule"),
    [
        (shown_and_clicked("bot", 25, 2700, ctr=0.97, after_s=(1.5, 8)), "hourly_ctr"),
        (shown_and_clicked("bot", 90, 2700, ctr=1.0, after_s=(0.05, 0.4)), "hourly_fast_click"),
        (signed_in("bot", 25, 2700), "hourly_sign_ins"),
    ],
    ids=["clicks everything slowly", "clicks too soon now and then", "signs in slowly"],
)
def test_a_script_that_takes_an_hour_is_found_among_people(did, rule):
    """Far below what any rule of minutes asks for."""
    every = alerts([*did, *people(8)]).values()
    assert {one["subject"] for one in every} == {"bot"}
    assert {one["rule"] for one in every} <= HOURLY
    mine = [one for one in every if one["rule"] == rule]
    assert len(mine) < 6  # alerts; a script that rests is quiet between two of them
    alert = mine[0]
    assert alert["subject_kind"] == "device"
    assert alert["evidence"]["impressions"] >= 0
    assert "clicking_devices" not in alert["evidence"]


@pytest.mark.parametrize(
    "did",
    [
        shown_and_clicked("keen", 8, 3000, ctr=0.6, after_s=(1.5, 9)),
        [*shown_and_clicked("kiosk", 15, 3000, ctr=0.25, after_s=(2, 9)), *signed_in("kiosk", 25, 3000)],
        [*shown_and_clicked("thumb", 20, 3000, ctr=0.3, after_s=(0.8, 9))],
        [one for n in range(12) for one in shown_and_clicked(f"quiz{n}", 30, 3000, ctr=0.85, after_s=(2, 9))],
        [one for n in range(12) for one in signed_in(f"app{n}", 60, 3000)],
        shown_and_clicked("tester", 40, 400, ctr=1.0, after_s=(2, 9)),
        [
            Did(900, name, "plane", f"a{n}", f"cmp_{n}")
            for n in range(60)
            for name in ("campaign.impression", "campaign.click")[: 2 - bool(n % 5)]
        ],
    ],
    ids=[
        "clicks six of ten",
        "a counter where many sign in",
        "taps by accident",
        "all click all",
        "all sign in each minute",
        "tries a campaign",
        "was offline",
    ],
)
def test_who_is_keen_and_who_is_like_everybody_else_is_not_accused(did):
    """The usual of an account is what its devices do."""
    assert accused([*did, *people(3)]) == set()


def test_impressions_that_come_late_take_the_finding_back():
    """They were on their way for minutes: the device clicked a part of what it was shown."""
    did = shown_and_clicked("bot", 12, 400, ctr=1.0, after_s=(1.5, 8))
    late = [Did(one.at_s + 1, "campaign.impression", "bot", f"late{n}", one.campaign, 450) for n, one in enumerate(did)]
    assert ("bot", "hourly_ctr") in accused(did)
    states = {one["rule"]: one["state"] for one in alerts([*did, *late]).values()}
    assert states["hourly_ctr"] == "withdrawn"


def test_what_is_told_of_a_device_is_passed_over_by_a_version_before():
    """It has no words for devices, and must not take such a row for one about a place that is not known."""
    hop_1 = DeviceOperator(0, TimePolicy.of(STREAMS), RulesSettings())
    for number, one in enumerate(shown_and_clicked("bot", 10, 60, ctr=1.0, after_s=(2, 3))):
        raw = body(event=one.event, created_at=iso(T0 + int(one.at_s * 1000)), activity_id=one.identity)
        hop_1.apply([FakeRecord(raw, number, timestamp=T0 + 10**6)])
    rows = [row for one in hop_1.flush()[0] if one.topic is GEO_ROLLUPS for row in one.value.split(b"\n")]
    [told] = [row for row in map(orjson.loads, rows) if "device_id" in row]
    assert told["campaign_clicks"]
    assert not any(told["campaign_clicks"].values())


def test_of_a_crowd_that_clicks_only_a_part_is_told():
    """However many devices one account makes up: a partition holds an hour of a few hundred."""
    hop_1 = DeviceOperator(0, TimePolicy.of(STREAMS), RulesSettings())
    for number in range(9000):
        at, name = iso(T0 + number), "campaign.impression" if number < 3000 else "campaign.click"
        raw = body(event=name, created_at=at, activity_id=f"a{number}", device_id=f"d{number % 3000}")
        hop_1.apply([FakeRecord(raw, number, timestamp=T0 + 10**6)])
    rows = [row for one in hop_1.flush()[0] if one.topic is GEO_ROLLUPS for row in one.value.split(b"\n")]
    assert 0 < sum("device_id" in msgspec.json.decode(row) for row in rows) < 500
