"""When hop 2 is told of a device that goes on: of clicks at once, of what it only was shown once a window."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.state.output import Output
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy.of(StreamsSettings())
#: Seconds and names of what one device does: two clicks, then impressions alone for three minutes.
CLICKED = [(1.0, "campaign.click"), (2.0, "campaign.click")]
SHOWN = [(float(second), "campaign.impression") for second in range(4, 200)]
#: A window is over for a while: its length, and half a pane.
OVER_S = 65


def record(number: int, at_s: float, name: str, device: str = "dev") -> FakeRecord:
    """An event of the device."""
    at = iso(T0 + int(at_s * 1000))
    return FakeRecord(body(event=name, created_at=at, activity_id=f"a{number}", device_id=device), number)


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
        (2.0, 0, 0, 2),
        (OVER_S, 0, 56, 2),
        (60.0 + OVER_S, 60, 60, 0),
        (120.0 + OVER_S, 120, 60, 0),
    ]


def test_a_click_takes_along_at_once_what_was_shown_before():
    """So that who judges it knows as much as ever."""
    did = [*CLICKED, *SHOWN[:10], (20.0, "campaign.click"), (21.0, "authentication")]
    assert ran(operator(), did)[1:] == [(20.0, 0, 10, 3), (21.0, 0, 10, 3)]


def test_what_comes_late_is_told_at_once():
    """It may explain what the device is accused of."""
    did = [*CLICKED, *SHOWN, (3.0, "campaign.impression")]
    assert ran(operator(), did)[-1] == (3.0, 0, 57, 2)


def test_what_waits_is_told_when_nothing_comes_any_more():
    """Event time passes in silence as far as what waits needs; nothing is owed before."""
    subject = operator()
    ran(subject, [*CLICKED, *SHOWN[:10]])
    due = subject.due()
    assert due is not None
    assert due.first_ms == T0 + OVER_S * 1000
    subject.advance(due.first_ms - 1)
    assert told(subject.flush()[0]) == []
    subject.advance(due.first_ms)
    [row] = told(subject.flush()[0])
    assert (row["impressions"], row["clicks"]) == (10, 2)
    assert subject.due().first_ms == T0 + 60_000 + POLICY.lateness_ms


@pytest.mark.parametrize("cut", [2, 10, 60, 63, 64, 65, 66, 130, 190])
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
