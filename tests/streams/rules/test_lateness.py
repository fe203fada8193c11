"""What allowed lateness the rules ask for: with less, a replay could not judge as was judged."""

from __future__ import annotations

from typing import Any

import pytest

from sori.errors import ConfigError
from sori.settings.rules import DeviceCtr, GeoHop, RulesSettings
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import device_ctr, geo_hop
from streams.rules.click_view import Grid
from streams.state.policy import TimePolicy

LONG_MS = 10**12


def starts(rules: dict[str, Any], *, lateness_s: float, window_s: int = 60, hop: type = DeviceOperator) -> bool:
    """Whether an operator takes these settings."""
    policy = TimePolicy(10_000, window_s * 1000, int(lateness_s * 1000), LONG_MS)
    try:
        hop(0, policy, RulesSettings.model_validate({"episodes": {"max_length_s": 36_000}, **rules}))
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("window_s", [10, 60, 70, 80, 90, 120, 300, 600])
def test_a_longer_window_asks_for_no_more_than_other_rules_do(window_s):
    """Rules about minutes fit themselves in: they would refuse what had started before there were any."""
    assert starts({}, window_s=window_s, lateness_s=max(388.4 + window_s, 6 * window_s) + 120)


@pytest.mark.parametrize(("window_s", "windows"), [(10, 7), (60, 7), (80, 5), (300, 1), (600, 1)])
def test_whole_windows_within_seven_minutes_are_looked_at(window_s, windows):
    """The present one at least; or as many as were asked for."""
    grid = Grid(10_000, window_s * 1000)
    for asked, found in ((None, windows), (3, 3)):
        assert device_ctr.lookback_ms(DeviceCtr(windows=asked), grid) == found * window_s * 1000
        assert device_ctr.reads_from_ms(grid.window_ms * 99, DeviceCtr(windows=asked), grid) == (
            (99 - found) * grid.window_ms
        )
        assert geo_hop.lookback_ms(GeoHop(windows=asked), grid) == max(found, 2) * window_s * 1000


@pytest.mark.parametrize(
    ("rule", "hop", "settings"),
    [
        ("device_ctr", DeviceOperator, {"windows": 30}),
        ("geo_hop", DeviceOperator, {"windows": 30}),
        ("geo_auth_burst", PlaceOperator, {"baseline_s": 9_000}),
    ],
)
def test_a_rule_that_is_turned_off_asks_for_none(rule, hop, settings):
    """But one that is on for a single account does."""
    off = {rule: {"enabled": False, **settings}}
    lateness_s = 600 if hop is DeviceOperator else 3600
    assert not starts({rule: settings}, lateness_s=lateness_s, hop=hop)
    assert starts(off, lateness_s=lateness_s, hop=hop)
    assert not starts({**off, "accounts": {"a": {rule: {"enabled": True}}}}, lateness_s=lateness_s, hop=hop)


def test_clicks_that_wait_longer_ask_for_more():
    """Every rule whose clicks wait looks back from when they have waited."""
    waiting = {"grace_s": 200, "horizon_s": 60}
    assert not starts({"click_without_impression": waiting}, lateness_s=600)
    assert starts({"click_without_impression": waiting, "device_ctr": {"windows": 4}}, lateness_s=600)
