"""What hop 1 tells of a campaign at a place: sums of seven windows, where much of it is clicked."""

from __future__ import annotations

import orjson

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.told_campaigns import ToldCampaigns
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
MINUTE = 60


class Told:
    """An operator, and what it told last of each place and pane."""

    def __init__(self) -> None:
        self.operator = DeviceOperator(0, TimePolicy.of(StreamsSettings()), RulesSettings())
        self.offset = 0

    def send(self, at_s: float, impressions: int, clicks: int, campaign: str = "a", city: str = "Rome") -> None:
        """So many impressions of a campaign at a place, one device each; the last of these click, then others."""
        for number in range(impressions + clicks):
            self.offset += 1
            kind = "impression" if number < impressions else "click"
            shown_first = number >= impressions and number < impressions + min(impressions, clicks)
            device = self.offset - min(impressions, clicks) if shown_first else self.offset
            raw = body(
                event=f"campaign.{kind}",
                created_at=iso(T0 + int(at_s * 1000)),
                activity_id=f"id_{self.offset}",
                device_id=f"device_{device}",
                platform="iOS" if self.offset % 2 else "Android",
                campaign={"id": campaign},
                geolocation={"viewer_country": "Italy", "viewer_region": "", "viewer_city": city},
            )
            self.operator.apply([FakeRecord(raw, self.offset, timestamp=T0 + 10**8)])

    def local(self, city: str = "Rome") -> dict[str, list[int]]:
        """Flush; what its newest row tells."""
        lines = [
            line for one in self.operator.flush()[0] if one.topic is GEO_ROLLUPS for line in one.value.split(b"\n")
        ]
        rows = [row for row in map(orjson.loads, lines) if row.get("city") == city]
        return max(rows, key=lambda row: row["pane_start"]).get("local", {})


def test_it_is_told_over_windows_materials_and_platforms_of_that_place_alone():
    """What was told before makes no difference, nor what is clicked elsewhere."""
    told = Told()
    told.send(0, 3, 2)
    told.send(5, 9, 0, city="Milan")
    assert told.local() == {"a": [3, 2]}
    told.send(4 * MINUTE, 2, 1)
    told.send(4 * MINUTE, 1, 1, campaign="b")
    assert told.local() == {"a": [5, 3], "b": [1, 1]}


def test_it_is_of_seven_windows():
    """The pane's own, and six before."""
    told = Told()
    told.send(0, 3, 2)
    told.send(MINUTE, 5, 4)
    told.send(7 * MINUTE + 50, 1, 1)
    assert told.local() == {"a": [6, 5]}


def test_what_is_clicked_as_people_do_is_not_told():
    """Nothing is, where more than five impressions come for each click: up to now, or in the latest windows of them."""
    told = Told()
    told.send(0, 12, 2)
    told.send(5, 1, 1, campaign="b")
    assert told.local() == {"b": [1, 1]}
    told.send(MINUTE, 1, 1)
    assert told.local() == {"a": [13, 3]}
    told.send(2 * MINUTE, 6, 1)
    assert told.local() == {}


def test_clicks_of_whom_nothing_was_shown_are_not_told_of():
    """A flood of them asks for nothing; what was clicked after it was shown has them in its sums."""
    told = Told()
    told.send(0, 0, 5)
    assert told.local() == {}
    told.send(5, 2, 2)
    told.send(6, 0, 3, campaign="b")
    assert told.local() == {"a": [2, 7]}
    told.send(MINUTE, 0, 4)
    assert told.local() == {}


def test_a_campaign_is_added_up_once_a_flush_for_all_panes_of_a_window(monkeypatch):
    """Whoever makes up materials has as many rows of it as are held, and makes its clicks as old as it likes."""
    looked, inner = [], ToldCampaigns._look

    class Watched(dict[object, object]):
        def get(self, *args):
            looked.append(args)
            return super().get(*args)

    monkeypatch.setattr(ToldCampaigns, "_look", lambda *args: [Watched(one) for one in inner(*args)])
    told = Told()
    for pane in range(6):
        told.send(10 * pane, 3, 3)
    assert told.local() == {"a": [18, 18]}
    assert len(looked) == 1
