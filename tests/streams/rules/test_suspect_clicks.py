"""Clicks of a device in an open episode are also counted as suspect in their CTR row."""

from __future__ import annotations

import orjson

from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import CTR_WINDOWS
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, body

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=600_000, max_skew_ms=300_000)
ONLY_BURST = {
    name: {"enabled": False} for name in ("device_event_burst", "duplicate_click", "click_without_impression")
}


def click(offset: int, at_ms: int, device: str) -> FakeRecord:
    """One click."""
    raw = body(created_at=iso(at_ms), activity_id=f"a{offset}", event="campaign.click", device_id=device)
    return FakeRecord(raw, offset, timestamp=at_ms)


def counts(operator: DeviceOperator) -> tuple[int, int]:
    """Clicks and suspect clicks of all rows that are owed."""
    outputs = [output for output in operator.flush()[0] if output.topic is CTR_WINDOWS]
    rows = [orjson.loads(line) for output in outputs for line in output.value.split(b"\n")]
    return sum(row["clicks"] for row in rows), sum(row["suspect_clicks"] for row in rows)


def test_clicks_are_suspect_from_the_one_that_opens_the_alert_until_it_is_quiet():
    """Other devices' clicks never are, nor are its own after the cooldown."""
    operator = DeviceOperator(0, POLICY, RulesSettings.model_validate(ONLY_BURST))
    operator.apply([click(n, T0 + n * 500, "bot") for n in range(30)])
    operator.apply([click(30, T0 + 15_500, "person")])
    assert counts(operator) == (31, 11)  # the twentieth click opens it
    operator.apply([click(31, T0 + 60_000, "bot")])
    assert counts(operator) == (1, 1)
    operator.apply([click(32, T0 + 420_000, "bot")])
    assert counts(operator) == (1, 0)
