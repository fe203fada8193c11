"""What hop 1 tells of devices that click a campaign and clicked before: with what they did in seven windows."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000


class Told:
    """An operator, and what it tells of a campaign's newest pane."""

    def __init__(self, policy: TimePolicy | None = None) -> None:
        self.operator = DeviceOperator(0, policy or TimePolicy.of(StreamsSettings()), RulesSettings())
        self.offset = 0

    def send(self, at_s: float, kind: str, device: str = "d", campaign: str = "a") -> None:
        """One event."""
        self.offset += 1
        raw = body(
            event=f"campaign.{kind}",
            created_at=iso(T0 + int(at_s * 1000)),
            activity_id=f"id_{self.offset}",
            device_id=device,
            campaign={"id": campaign},
        )
        self.operator.apply([FakeRecord(raw, self.offset, timestamp=T0 + 10**8)])

    def returning(self, campaign: str = "a") -> list[list[int]]:
        """Flush; what its newest row tells."""
        lines = [
            line for one in self.operator.flush()[0] if one.topic is GEO_ROLLUPS for line in one.value.split(b"\n")
        ]
        rows = [row for row in map(orjson.loads, lines) if row.get("campaign_id") == campaign]
        return max(rows, key=lambda row: row["pane_start"]).get("returning", [])


NAMED = crc32(b"d")


def test_who_clicks_for_the_first_time_is_not_told_of():
    """Nor who clicks twice in a pane."""
    told = Told()
    told.send(0, "impression")
    told.send(1, "click")
    told.send(2, "click")
    assert told.returning() == []


def test_whoever_clicked_anything_within_seven_windows_is_with_what_it_did_in_these():
    """Also in those that were packed; what lies further back, or comes later, counts no more."""
    told = Told()
    told.send(0, "impression", campaign="b")
    told.send(1, "click", campaign="b")
    assert told.returning("b") == []
    for minute in range(1, 7):
        told.send(60 * minute + 5, "impression", device="d" if minute in {2, 3, 6} else "other")
        told.returning()
    told.send(409, "click")
    told.send(409.3, "click")
    assert told.returning() == [[NAMED, 2, 4]]
    told.send(421, "click")
    assert told.returning() == [[NAMED, 2, 3]]
    told.send(435, "click")
    told.send(436, "impression")
    assert told.returning() == [[NAMED, 3, 4]]
    told.send(1000, "click")
    assert told.returning() == []


def test_whoever_came_back_to_a_window_that_was_full_is_told_of_as_well():
    """Its clicks of before are known, where those of now are in no device's count."""
    told = Told(replace(TimePolicy.of(StreamsSettings()), max_account_devices=1))
    told.send(0, "impression")
    told.send(1, "click")
    assert told.returning() == []
    told.send(61, "impression", device="other")
    told.send(62, "click")
    assert told.returning() == [[NAMED, 1, 1]]


def test_of_a_crowd_some_are_told_of():
    """A flood costs no more than that."""
    told = Told()
    for device in range(100):
        told.send(0, "click", device=f"d{device}")
    told.returning()
    for device in range(100):
        told.send(15, "click", device=f"d{device}")
    assert [name for name, *_ in told.returning()] == [crc32(f"d{device}".encode()) for device in range(16)]


def test_a_click_without_a_device_is_nobody_s():
    """It cannot come back."""
    told = Told()
    told.send(0, "click", device="")
    told.send(15, "click", device="")
    assert told.returning() == []
