"""When hop 2 is told of a device that goes on: of clicks at once, of what it only was shown once a window."""

from __future__ import annotations

from math import ceil
from typing import Any

import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.held_devices import PARTS, part_of
from streams.state.output import Output
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy.of(StreamsSettings())
#: When everything is received: no clock runs ahead.
RECEIVED = T0 + 10**9
#: Seconds and names of what one device does: two clicks, then impressions alone for three minutes.
CLICKED = [(1.0, "campaign.click"), (2.0, "campaign.click")]
#: The same, after an impression.
ANSWERED = [(0.0, "campaign.impression"), *CLICKED]
SHOWN = [(float(second), "campaign.impression") for second in range(4, 210)]
#: A window is over: its length, half a pane, and until it is the device's turn, an eighth for each part of what is left
#: until the window is packed; and the next event after that.
PART_S = (30 - 5) / PARTS
OVER_S = ceil(65 + part_of("dev") * PART_S)


def record(number: int, at_s: float, name: str, device: str = "dev") -> FakeRecord:
    """An event of the device."""
    at = iso(T0 + int(at_s * 1000))
    return FakeRecord(
        body(event=name, created_at=at, activity_id=f"a{number}", device_id=device), number, timestamp=RECEIVED
    )


def told(outputs: list[Output]) -> list[dict[str, Any]]:
    """Rows about devices."""
    lines = [line for one in outputs if one.topic is GEO_ROLLUPS for line in one.value.split(b"\n")]
    return [row for row in map(orjson.loads, lines) if "device_id" in row]


def ran(operator: DeviceOperator, did: list[tuple[float, str]], first: int = 0) -> list[tuple[float, int, int, int]]:
    """A flush after each event: when it was, and of which second's window, impressions and clicks it told."""
    found: list[tuple[float, int, int, int]] = []
    for number, (at_s, name) in enumerate(did, first):
        operator.apply([record(number, at_s, name)])
        rows = told(operator.flush()[0])
        found += [(at_s, row["pane_start"] - T0 // 1000, row["impressions"], row["clicks"]) for row in rows]
    return found


def operator() -> DeviceOperator:
    """A partition of which nothing is known."""
    return DeviceOperator(0, POLICY, RulesSettings())


def test_what_a_device_was_only_shown_is_told_once_its_window_is_over():
    """Not with each event: a device that clicked twice would be told of a hundred times within its minutes."""
    assert ran(operator(), [*CLICKED, *SHOWN]) == [
        (OVER_S, 0, 56, 2),
        (60.0 + OVER_S, 60, 60, 0),
        (120.0 + OVER_S, 120, 60, 0),
    ]


def test_a_click_takes_along_at_once_what_was_shown_before():
    """So that who judges it knows as much as ever."""
    did = [*ANSWERED, *SHOWN[:10], (20.0, "campaign.click"), (21.0, "authentication")]
    assert ran(operator(), did) == [(2.0, 0, 1, 2), (20.0, 0, 11, 3), (21.0, 0, 11, 3)]


def test_whoever_only_clicks_is_told_once_its_window_is_over():
    """No rule about an hour accuses who is shown nothing; as soon as it is, its clicks are told at once."""
    did = [(second, "campaign.click") for second in (1.0, 2.0, 30.0, 59.0, 70.0, 80.0, 150.0)]
    assert ran(operator(), did) == [(150.0, 0, 0, 4), (150.0, 60, 0, 2)]
    assert ran(operator(), [*did[:5], (75.0, "campaign.impression"), *did[5:]])[:1] == [(80.0, 60, 1, 2)]


def test_what_comes_late_is_told_at_once():
    """It may explain what the device is accused of."""
    did = [*CLICKED, *SHOWN, (3.0, "campaign.impression")]
    assert ran(operator(), did)[-1] == (3.0, 0, 57, 2)


def test_what_waits_is_told_when_nothing_comes_any_more():
    """Event time passes in silence as far as what waits needs."""
    subject = operator()
    ran(subject, [*CLICKED, *SHOWN[:10]])
    due = subject.due()
    assert due is not None
    assert due.first_ms == T0 + 65_000 + (PARTS - 1) * PART_S * 1000
    subject.advance(due.first_ms)
    [row] = told(subject.flush()[0])
    assert (row["impressions"], row["clicks"]) == (10, 2)
    assert subject.due().first_ms == T0 + 60_000 + POLICY.lateness_ms


@pytest.mark.parametrize("cut", [2, 10, 60, 65, OVER_S - 5, OVER_S - 3, OVER_S, 130, 190])
def test_whoever_resumes_tells_the_same(cut):
    """From the commit of each flush, by reading again."""
    did = [*CLICKED, *SHOWN]
    before = operator()
    ran(before, did[:cut])
    checkpoint = before.flush()[1]
    after = DeviceOperator(0, POLICY, RulesSettings(), checkpoint)
    low = checkpoint.replay_start.low
    after.apply([record(number, *did[number]) for number in range(low, cut)])
    assert not after.replaying
    assert ran(after, did[cut:], cut) == ran(before, did[cut:], cut)


def test_devices_are_told_of_in_turns():
    """A hundred thousand at once would hold up everything for seconds, once a minute."""
    subject, devices = operator(), [f"dev_{number}" for number in range(200)]
    for number, device in enumerate(3 * devices):
        subject.apply([record(number, 1.0, f"campaign.{'impression' if number < 200 else 'click'}", device)])
    assert {row["device_id"] for row in told(subject.flush()[0])} == set(devices)
    for number, device in enumerate(devices, 600):
        subject.apply([record(number, 2.0, "campaign.impression", device)])
    turns = [told(subject.flush()[0])]
    for number in range(800, 900):
        subject.apply([record(number, number - 800.0, "authentication", "other")])
        turns.append([row for row in told(subject.flush()[0]) if row["device_id"] != "other"])
    assert sorted(row["device_id"] for rows in turns for row in rows) == sorted(devices)
    assert [len(rows) > 0 for rows in turns].count(True) == PARTS
    assert max(map(len, turns)) < 50


def test_whoever_resumes_with_nothing_to_read_again_knows_when_the_last_flush_was():
    """Else windows that were over before would be told of as if they had ended now."""
    before, far_s = operator(), 10_000.0
    ran(before, CLICKED)
    before.advance(T0 + int(far_s * 1000))
    checkpoint = before.flush()[1]
    assert checkpoint.replay_start.low == checkpoint.offset
    after = DeviceOperator(0, POLICY, RulesSettings(), checkpoint)
    late = [(far_s - ago_s, "campaign.click") for ago_s in (200.0, 201.0, 300.0, 301.0)]
    for subject in (before, after):
        subject.apply([record(number, *one) for number, one in enumerate(late, 2)])
    found = [[row["pane_start"] for row in told(subject.flush()[0])] for subject in (before, after)]
    assert found[0] == found[1]
    assert found[0] == sorted(found[0], reverse=True)
    assert len(found[0]) == 2
