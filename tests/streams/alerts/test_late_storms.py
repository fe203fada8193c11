"""Alerts stay few, and what an event costs stays bounded, where a sender makes its events as old as it likes."""

from __future__ import annotations

from collections import Counter
from random import Random

import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.alerts.episodes import EpisodeBook
from streams.alerts.grouping import Slots
from streams.alerts.record import Finding, Subject
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.checkpoint import ReplayStart
from streams.state.output import Output
from streams.state.policy import EpisodePolicy, TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = EpisodePolicy(120_000, 5_000, 3_600_000, 3_600_000, 3_600_000, group_from=5, group_window_ms=60_000)
SLOTS = Slots(60_000, 240_000)


class _Missing:
    """Grounds that any late impression takes away."""

    state: object = None
    missing = ("a",)

    def explain(self, *_: object) -> bool:
        """It was missing."""
        return True

    def hold(self) -> bool:
        """Nothing is left."""
        return False


def book_of(slots: Slots = SLOTS) -> EpisodeBook:
    """With one rule whose alerts are shared."""
    book = EpisodeBook(POLICY, 10_000, 600_000)
    book.group("rule", slots)
    return book


def finding(device: str, at_ms: int) -> Finding:
    """The rule finds ten of something."""
    return Finding("rule", Subject("acc", "device", device), at_ms - 10_000, at_ms, 10, 0, 5, "low", "GIVT")


def opened(outputs: list[Output]) -> list[str]:
    """Rules of the alerts opened."""
    alerts = [orjson.loads(output.value) for output in outputs if output.topic is FRAUD_ALERTS]
    return [alert["rule"] for alert in alerts if alert["state"] == "opened"]


def click(number: int, now: int, created: int, device: str) -> FakeRecord:
    """A click on what was never shown."""
    raw = body(
        created_at=iso(created),
        activity_id=f"a{number}",
        event="campaign.click",
        device_id=device,
        campaign={"id": f"cmp_{number % 7}"},
        geolocation={"viewer_country": "c", "viewer_region": "r", "viewer_city": "t"},
    )
    return FakeRecord(raw, number, timestamp=now)


def test_one_sender_of_old_events_raises_few_alerts():
    """Each finding was an alert of its own, over at once: dozens a minute about one device and one place."""
    rng, minutes, per_second = Random(3), 3, 15
    streams, rules = StreamsSettings(), RulesSettings()
    devices = DeviceOperator(0, TimePolicy.of(streams), rules)
    places = PlaceOperator(0, TimePolicy.of_places(streams), rules)
    found: Counter[str] = Counter()
    for second in range(minutes * 60):
        now, begin = T0 + second * 1000, second * per_second
        ages = [0, *(rng.randrange(540) * 1000 for _ in range(1, per_second))]
        devices.apply([click(begin + at, now, now - age, f"bot_{at % 2}") for at, age in enumerate(ages)])
        outputs = devices.flush()[0]
        for output in outputs:
            if output.topic is GEO_ROLLUPS:
                places.apply([FakeRecord(output.value, places.next_offset)])
        found.update(opened(outputs + places.flush()[0]))
    assert {"duplicate_click", "geo_click_burst"} <= found.keys()
    assert max(found.values()) <= POLICY.group_from * (minutes + 1)


@pytest.mark.parametrize("devices", [1, 40])
def test_findings_about_what_is_over_share_an_alert_while_their_slot_lasts(devices):
    """An alert about the past stays open until the slot of the present ends."""
    book, states = book_of(), Counter()
    for second in range(60):
        now = T0 + second * 1000
        for number in range(devices):
            book.add(finding(f"bot_{number}", now - 170_000), now - 170_000, now, lambda: ReplayStart(0, 0))
        book.sweep(now)
        states.update(orjson.loads(one.value)["state"] for one in book.flush(second))
    assert states["opened"] == min(devices, POLICY.group_from)
    assert states["closed"] == 0
    book.sweep(T0 + 60_000)
    assert not book.open_episodes


def test_what_a_replay_might_not_find_is_held_for_nobody():
    """Who resumes, and has not found it, has no alert to go on with."""
    for age_ms, held in ((181_000, False), (180_000, True)):
        book = book_of()
        book.add(finding("bot", T0 - age_ms), T0 - age_ms, T0, lambda: ReplayStart(0, 0))
        book.sweep(T0)
        assert bool(book.open_episodes) is held


def test_taking_back_one_of_many_alerts_looks_at_no_other():
    """A botnet that sends the impressions of all its clicks late withdraws as many alerts before the next flush."""
    book, looked = book_of(Slots(0, 0)), 0

    class Watched(dict[int, object]):
        def values(self):
            nonlocal looked
            looked += len(self)
            return super().values()

    for number in range(200):
        one = finding(f"bot_{number}", T0)
        case = book.add(one, T0, T0, lambda: ReplayStart(0, 0))
        book.corrections.note("rule", one.subject, case, T0, _Missing())
    book.flush(1)
    book._closed = Watched(book._closed)
    for number in range(200):
        subject = Subject("acc", "device", f"bot_{number}")
        for wrong in book.corrections.explained(subject, None, "a", T0, T0):
            book.take_back(wrong, T0)
    assert looked == 0
    assert len(book.flush(2)) == 200
