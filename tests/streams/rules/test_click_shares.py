"""An alert says what share of a campaign's clicks the device made."""

from __future__ import annotations

import orjson

from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)


def click(offset: int, device: str, campaign: str, account: str = "acc_1") -> FakeRecord:
    """One click, 100 ms after the one before."""
    at_ms = T0 + offset * 100
    raw = body(
        created_at=iso(at_ms),
        activity_id=f"a{offset}",
        event="campaign.click",
        device_id=device,
        campaign={"id": campaign},
        account_id=account,
    )
    return FakeRecord(raw, offset, timestamp=at_ms)


def test_the_share_is_of_the_campaigns_clicks_in_the_window_and_of_the_same_account():
    """Ten clicks by others before, all within the window; a namesake campaign of another account does not count."""
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply([click(n, f"person_{n}", "cmp_a") for n in range(10)])
    operator.apply([click(n, f"person_{n}", "cmp_a", "acc_2") for n in range(10, 15)])
    operator.apply([click(n, "bot", "cmp_a" if n % 4 else "cmp_b") for n in range(20, 40)])
    alerts = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    (burst,) = [alert for alert in alerts if alert["rule"] == "device_click_burst"]
    evidence = burst["evidence"]
    assert evidence["clicks"] == 20
    assert evidence["campaigns"] == {"cmp_a": 15, "cmp_b": 5}
    assert evidence["campaign_clicks"] == {"cmp_a": 25, "cmp_b": 5}
    assert evidence["campaign_shares"] == {"cmp_a": 0.6, "cmp_b": 1.0}


def test_a_click_without_a_campaign_has_no_share():
    """There is nothing to divide by."""
    operator = DeviceOperator(0, POLICY, RulesSettings())
    operator.apply([click(n, "bot", "") for n in range(20)])
    alerts = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    assert all(alert["evidence"]["campaign_shares"] == {} for alert in alerts if "clicks" in alert["evidence"])
