"""Whom to leave alone is asked first, and parameters that could not be replayed are refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sori.errors import ConfigError
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)


def rules_that_fire(**settings: Any) -> set[str]:
    """Which rules alert a device that floods clicks without impressions, once these have had their time to come."""
    operator = DeviceOperator(0, POLICY, RulesSettings.model_validate(settings))
    times = [T0, *(T0 + 400_000 + number * 400 for number in range(60)), T0 + 460_000]
    operator.apply(
        [
            FakeRecord(
                body(
                    created_at=iso(at), activity_id=f"a{n}", event="campaign.click", account_id="acc", device_id="bot"
                ),
                n,
                timestamp=at,
            )
            for n, at in enumerate(times)
        ]
    )
    alerts = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return {alert["rule"] for alert in alerts}


def test_a_flood_without_impressions_is_found_by_several_rules():
    """The sentinel of the tests below."""
    assert {"device_click_burst", "duplicate_click", "click_without_impression"} <= rules_that_fire()


@pytest.mark.parametrize("allow", [{"devices": ["bot"]}, {"accounts": ["acc"]}])
def test_an_allowed_subject_is_judged_by_no_rule(allow):
    """The device itself, or its whole account."""
    assert rules_that_fire(allow=allow) == set()


def test_a_rules_own_allow_list_and_switch_concern_that_rule_only():
    """Others go on."""
    fired = rules_that_fire(duplicate_click={"allow": ["bot"]}, device_click_burst={"enabled": False})
    assert fired == {"click_without_impression"}


def test_an_account_may_override_a_parameter():
    """A floor that the flood does not reach."""
    fired = rules_that_fire(accounts={"acc": {"device_click_burst": {"floor": 1000}}})
    assert "device_click_burst" not in fired
    assert "duplicate_click" in fired


def test_an_override_that_looks_back_too_far_is_refused_at_start():
    """Its alerts could not be replayed exactly."""
    settings = RulesSettings.model_validate({"accounts": {"acc": {"fast_click": {"window_s": 600}}}})
    with pytest.raises(ConfigError, match="fast_click"):
        DeviceOperator(0, POLICY, settings)
