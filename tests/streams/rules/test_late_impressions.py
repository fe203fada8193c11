"""An impression that comes later than a sender takes puts right what was judged without it."""

from __future__ import annotations

from typing import Any

import orjson

from sori.alerting.alert import parse_alert
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import CTR_WINDOWS, FRAUD_ALERTS
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
STREAMS = StreamsSettings()
QUIET = {name: {"enabled": False} for name in ("device_click_burst", "duplicate_click")}


class Feed:
    """One partition of hop 1, and what came of it."""

    def __init__(self, **rules: Any) -> None:
        self.operator: PartitionOperator = DeviceOperator(
            0, TimePolicy.of(STREAMS), RulesSettings.model_validate({**QUIET, **rules})
        )
        self.alerts: dict[str, list[dict[str, Any]]] = {}
        self.rows: dict[tuple[int, str], tuple[int, int, int]] = {}
        self._offset = 0

    def send(self, kind: str, at_ms: int, identity: str, device: str = "phone", campaign: str = "spot") -> None:
        """One event that happened then comes now."""
        name, about = f"campaign.{kind}", {"id": campaign}
        raw = body(event=name, created_at=iso(at_ms), activity_id=identity, device_id=device, campaign=about)
        self.operator.apply([FakeRecord(raw, self._offset, timestamp=T0 + 10**7)])
        self._offset += 1

    def others(self, at_ms: int) -> None:
        """Somebody else's event moves time on."""
        self.send("impression", at_ms, f"other_{at_ms}", device=f"other_{at_ms}", campaign="another")

    def flush(self) -> None:
        """Take what is owed, as readers do: the highest version of each alert and of each row."""
        for output in self.operator.flush()[0]:
            if output.topic is FRAUD_ALERTS:
                alert = orjson.loads(output.value)
                self.alerts.setdefault(f"{alert['rule']} {alert['subject']}", []).append(alert)
            elif output.topic is CTR_WINDOWS:
                for line in output.value.split(b"\n"):
                    row = orjson.loads(line)
                    key = row["window_start"], row["campaign_id"]
                    known = self.rows.get(key, (-1, 0, 0))
                    assert row["version"] > known[0]
                    self.rows[key] = row["version"], row["clicks"], row["suspect_clicks"]

    def suspects(self) -> int:
        """Suspect clicks of all rows."""
        return sum(suspect for _, _, suspect in self.rows.values())

    def newest(self, name: str) -> dict[str, Any]:
        """An alert as of now; each of its records had a version of its own, and is one that everybody can read."""
        records = self.alerts[name]
        versions = [parse_alert(orjson.dumps(record)).version for record in records]
        assert versions == sorted(set(versions))
        return records[-1]


def accused(clicks: int = 8, **rules: Any) -> Feed:
    """A device that is accused of clicks without impressions, and whose later clicks are suspect."""
    feed = Feed(**rules)
    for number in range(clicks):
        feed.send("click", T0 + number * 3500, f"a{number}")
    feed.others(T0 + 60_000)
    feed.send("click", T0 + 61_000, "b1")
    feed.send("click", T0 + 65_000, "b2")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "opened"
    assert feed.suspects() >= 2
    return feed


def test_an_alert_that_late_impressions_explain_closes_and_says_why():
    """And its suspect clicks are counted as ordinary ones, in rows of a higher version."""
    feed = accused()
    for number in range(8):
        feed.send("impression", T0 + number * 3500 - 2000, f"a{number}")
    feed.flush()
    alert = feed.newest("click_without_impression phone")
    assert alert["state"] == "withdrawn"
    assert "came late" in alert["evidence"]["explanation"]
    assert feed.suspects() == 0
    feed.send("click", T0 + 70_000, "c1")
    feed.flush()
    assert feed.suspects() == 0  # the device is in no open episode any more


def test_an_alert_that_holds_without_some_of_its_clicks_stays():
    """One impression of eight leaves seven clicks without one."""
    feed = accused()
    feed.send("impression", T0 - 2000, "a0")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "opened"
    assert feed.suspects() == 2


def test_impressions_with_ids_of_their_own_explain_the_clicks_of_their_campaign():
    """Where a sender gives click and impression different ids: those of that device and campaign, before the clicks."""
    feed = accused()
    for number in range(3):
        feed.send("impression", T0 - 2000, f"other_campaign{number}", campaign="else")
        feed.send("impression", T0 - 2000, f"other_device{number}", device="tablet")
        feed.send("impression", T0 + 64_000, f"after{number}")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "opened"
    for number in range(3):
        feed.send("impression", T0 - 2000, f"shown{number}")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "withdrawn"
    assert feed.suspects() == 0


def test_an_impression_without_its_device_explains_the_click_that_has_its_id():
    """And another device's explains no other click of the campaign."""
    feed = accused()
    for number in range(8):
        feed.send("impression", T0 + number * 3500 - 2000, f"a{number}", device="")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "withdrawn"
    feed = accused()
    for number in range(2):
        for _ in range(4):
            feed.send("impression", T0 + number * 3500 - 2000, f"a{number}", device="tablet")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "opened"


def test_an_alert_is_put_right_after_it_closed_too():
    """Whoever was told that it closed is told why it should not have opened."""
    feed = accused()
    feed.others(T0 + 400_000)
    feed.flush()
    closed = feed.newest("click_without_impression phone")
    assert closed["state"] == "closed"
    assert "explanation" not in closed["evidence"]
    for number in range(8):
        feed.send("impression", T0 + number * 3500 - 2000, f"a{number}")
    feed.flush()
    alert = feed.newest("click_without_impression phone")
    assert "explanation" in alert["evidence"]
    assert alert["closed_at"] == closed["closed_at"]
    assert feed.suspects() == 0


def test_clicks_that_are_suspect_for_another_reason_stay_so():
    """A burst is one, impressions or not."""
    feed = accused(device_click_burst={"enabled": True, "floor": 5, "ceiling": 5})
    suspects = feed.suspects()
    for number in range(8):
        feed.send("impression", T0 + number * 3500 - 2000, f"a{number}")
    feed.flush()
    assert feed.newest("click_without_impression phone")["state"] == "withdrawn"
    assert feed.newest("device_click_burst phone")["state"] == "opened"
    assert feed.suspects() == suspects


def test_a_burst_that_goes_on_is_not_taken_back():
    """Two minutes of findings are no matter of late impressions; what is held of it is bounded."""
    feed = Feed()
    for number in range(80):
        feed.send("click", T0 + number * 3500, f"a{number}")
    feed.others(T0 + 330_000)
    for number in range(80):
        feed.send("impression", T0 + number * 3500 - 2000, f"a{number}")
    feed.flush()
    assert "explanation" not in feed.newest("click_without_impression phone")["evidence"]
    (held,) = feed.operator.episodes.corrections.held
    assert held.grounds == {}


def test_members_of_a_group_are_taken_out_of_account_one_by_one():
    """The alert closes when none is left."""
    feed = Feed(episodes={"group_from": 1})
    for number in range(7):
        for device in ("one", "two"):
            feed.send("click", T0 + number * 3500, f"{device}{number}", device=device)
    feed.others(T0 + 60_000)
    feed.flush()
    name = "click_without_impression one"
    assert feed.newest(name)["evidence"]["members"] == ["one", "two"]
    for number in range(7):
        feed.send("impression", T0 + number * 3500 - 2000, f"one{number}", device="one")
    feed.others(T0 + 70_000)
    feed.flush()
    assert feed.newest(name)["state"] == "updated"
    assert feed.newest(name)["evidence"]["explained_members"] == ["one"]
    for number in range(7):
        feed.send("impression", T0 + number * 3500 - 2000, f"two{number}", device="two")
    feed.flush()
    assert feed.newest(name)["state"] == "withdrawn"
    assert "explanation" in feed.newest(name)["evidence"]


def test_fast_clicks_are_a_script_no_longer_when_slow_ones_turn_out_to_be_the_most():
    """Impressions of ordinary clicks that come after the sender's time change the share."""
    feed = Feed(click_without_impression={"enabled": False})
    for number in range(6):
        feed.send("click", T0 + number * 3500, f"slow{number}")
    for number in range(4):
        feed.send("impression", T0 + 50_000 + number * 1100, f"fast{number}")
        feed.send("click", T0 + 50_300 + number * 1100, f"fast{number}")
    feed.flush()
    assert feed.newest("fast_click phone")["state"] == "opened"
    for number in range(6):
        feed.send("impression", T0 + number * 3500 - 5000, f"slow{number}")
    feed.flush()
    assert "explanation" in feed.newest("fast_click phone")["evidence"]
    assert feed.suspects() == 0


def test_the_alert_of_a_place_and_of_a_campaign_closes_when_its_impressions_come():
    """An outage held back the impressions of an aired spot, and none of the clicks that followed."""
    operator = PlaceOperator(0, TimePolicy.of_places(STREAMS), RulesSettings())
    states: dict[str, list[dict[str, Any]]] = {}
    versions: dict[Any, int] = {}

    def tell(pane: int, impressions: int, clicks: int) -> None:
        for about in ({"country": "c", "region": "r", "city": "x"}, {"campaign_id": "spot"}):
            key = pane, *about.values()
            versions[key] = versions.get(key, 0) + 1
            row = {
                "pane_start": T0 // 1000 + pane * 10,
                "account_id": "acc",
                "source_partition": 0,
                "version": versions[key],
                "impressions": impressions,
                "clicks": clicks,
                "clicking_devices": clicks,
                "top_device_clicks": min(1, clicks),
                **about,
            }
            operator.apply([FakeRecord(orjson.dumps(row), operator.next_offset)])
        for output in operator.flush()[0]:
            alert = orjson.loads(output.value)
            states.setdefault(alert["rule"], []).append(alert)

    for pane in range(140):
        tell(pane, 20, 1)
    for pane in range(140, 143):
        tell(pane, 20, 40)
    opened = {rule for rule, records in states.items() if records[-1]["state"] != "closed"}
    assert opened == {"geo_click_burst", "geo_ctr_anomaly", "ctr_anomaly"}
    for pane in range(139, 143):
        tell(pane, 1500, 40 if pane > 139 else 1)
    tell(143, 20, 1)
    for rule in opened:
        assert states[rule][-1]["state"] == "withdrawn", rule
        assert "explanation" in states[rule][-1]["evidence"]
