"""An impression may come half a minute after its click, and nobody is at fault: no rule takes that for fraud."""

from __future__ import annotations

import orjson
import pytest

from simulator.retries import RetryPolicy
from sori.sender_schedule import CONTRACT, SenderSchedule
from sori.settings import Settings
from sori.settings.ingest import IngestSettings
from sori.settings.rules import FastClick, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import fast_click
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)
LONGEST_MS = int(CONTRACT.longest_delay_s * 1000)


class Feed:
    """One partition, fed event by event in the order in which they come."""

    def __init__(self) -> None:
        self.operator = DeviceOperator(0, POLICY, RulesSettings())
        self._offset = 0

    def send(self, kind: str, at_ms: int, identity: str, device: str = "phone", campaign: str = "spot") -> None:
        """One event that happened then."""
        name = f"campaign.{kind}"
        raw = body(event=name, created_at=iso(at_ms), activity_id=identity, device_id=device, campaign={"id": campaign})
        self.operator.apply([FakeRecord(raw, self._offset, timestamp=T0 + 10**7)])
        self._offset += 1

    def others(self, at_ms: int) -> None:
        """Somebody else's event moves time on."""
        self.send("impression", at_ms, f"other_{at_ms}", device=f"other_{at_ms}", campaign="another")

    def alerts(self) -> list[dict]:
        """Alert records owed now."""
        outputs, _ = self.operator.flush()
        return [orjson.loads(output.value) for output in outputs if output.topic is FRAUD_ALERTS]


def test_the_schedule_is_that_of_the_contract():
    """Five seconds, three retries, backoff: about half a minute; the simulator and the ingress keep to it."""
    assert 25 < CONTRACT.longest_delay_s < 32
    retries = RetryPolicy()
    assert (retries.timeout_s, retries.retries) == (CONTRACT.timeout_s, CONTRACT.retries)
    assert IngestSettings.model_fields["deadline_s"].default < CONTRACT.timeout_s
    assert SenderSchedule(timeout_s=2, retries=1, first_backoff_s=3, jitter=0).longest_delay_s == 7


def test_a_deployments_schedule_is_a_setting_from_which_every_grace_follows():
    """`streams.sender` reaches both hops."""
    slow = Settings.model_validate({"streams": {"sender": {"timeout_s": 10, "retries": 2, "jitter": 0}}}).streams
    assert TimePolicy.of(slow).grace_ms == TimePolicy.of_places(slow).grace_ms == 33_000
    assert TimePolicy.of(Settings().streams).grace_ms == POLICY.grace_ms == LONGEST_MS


def test_clicks_whose_impressions_are_being_delivered_again_are_not_accused():
    """Every impression comes just in time, after ten clicks and the time of its last attempt."""
    feed = Feed()
    for number in range(10):
        feed.send("click", T0 + number * 4000, f"a{number}")
    assert feed.alerts() == []
    for number in range(10):
        feed.others(T0 + number * 4000 + LONGEST_MS - 1)
        feed.send("impression", T0 + number * 4000 - 3000, f"a{number}")
    feed.others(T0 + 200_000)
    assert feed.alerts() == []


@pytest.mark.parametrize("last", ["another device", "silence"])
def test_clicks_without_impressions_are_found_when_the_sender_has_had_its_time(last):
    """No further click of the device is needed: the time of others, or of a silent partition, will do."""
    feed = Feed()
    for number in range(6):
        feed.send("click", T0 + number * 4000, f"a{number}")
    if last == "silence":
        feed.alerts()
        feed.operator.advance(T0 + 20_000 + LONGEST_MS)
    else:
        feed.others(T0 + 20_000 + LONGEST_MS - 1)
        assert feed.alerts() == []
        feed.others(T0 + 20_000 + LONGEST_MS)
    (alert,) = feed.alerts()
    assert (alert["rule"], alert["subject"], alert["observed"]) == ("click_without_impression", "phone", 6)


def test_a_short_flood_without_impressions_is_found_though_few_of_its_clicks_are_kept():
    """By the time they are judged, their pane has got more clicks than are kept one by one."""
    feed = Feed()
    for number in range(30):
        feed.send("click", T0 + number * 200, f"a{number}")
    feed.others(T0 + 6_000 + LONGEST_MS)
    assert "click_without_impression" in {alert["rule"] for alert in feed.alerts()}


def test_a_click_with_an_unknown_impression_counts_as_ordinary_while_it_may_come():
    """Four fast ones of nine are no script, and five of the nine are not known yet."""
    rule = FastClick()
    assert fast_click.judge([200] * 4, rule, waiting=5) is None
    assert fast_click.judge([200] * 4, rule) is not None


def test_fast_clicks_are_not_accused_before_the_impressions_of_slow_ones_have_come():
    """Through the operator: an outage holds back the impressions of ordinary clicks, and those of hasty ones come."""
    feed = Feed()
    for number in range(6):
        feed.send("click", T0 + number * 3500, f"slow{number}")
    for number in range(4):
        feed.send("impression", T0 + 18_500 + number * 3100, f"fast{number}")
        feed.send("click", T0 + 18_800 + number * 3100, f"fast{number}")
    assert feed.alerts() == []


@pytest.mark.parametrize(("every_ms", "accused"), [(50, []), (3000, ["fast_click"])])
def test_what_was_done_offline_and_is_stamped_together_is_no_fast_click(every_ms, accused):
    """Eight clicks, each as old as its impression: at once they are a batch, over half a minute they are a script."""
    feed = Feed()
    for number in range(8):
        feed.send("impression", T0 + number * every_ms, f"a{number}", campaign=f"spot{number}")
        feed.send("click", T0 + number * every_ms, f"a{number}", campaign=f"spot{number}")
    assert [alert["rule"] for alert in feed.alerts()] == accused
