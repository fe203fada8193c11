"""Which rules two sets have in common."""

from __future__ import annotations

from typing import Any

import pytest

from sori.settings.rules import Rule, RulesSettings
from streams.backtest.shared_rules import Shared

CHANGED = {"ctr_anomaly": {"floor": 41}}


def on(rules: RulesSettings) -> set[str]:
    """Rules that run."""
    named = {name: getattr(rules, name) for name in type(rules).model_fields}
    return {name for name, rule in named.items() if isinstance(rule, Rule) and rule.enabled}


@pytest.mark.parametrize("everywhere", [{"allow": {"devices": ["dev_1"]}}, {"episodes": {"cooldown_s": 7}}])
def test_another_allow_list_or_other_episodes_leave_nothing_in_common(everywhere: dict[str, Any]):
    """They bear on every rule."""
    first, other = RulesSettings(), RulesSettings.model_validate(everywhere)
    assert Shared([first, other]).judged == [first, other]


def test_only_what_differs_is_judged_again_and_alerts_come_together():
    """An account's override makes its rule differ; equal sets run once."""
    first = RulesSettings()
    override = {"accounts": {"acc_1": {"device_farm": {"floor": 13}}}}
    shared = Shared([first, RulesSettings(), RulesSettings.model_validate({**CHANGED, **override})])
    assert [on(rules) for rules in shared.judged] == [on(first), {"ctr_anomaly", "device_farm"}]
    old = {"1": {"rule": "ctr_anomaly"}, "2": {"rule": "geo_hop"}}
    new = {"3": {"rule": "ctr_anomaly"}}
    assert shared.of_all([old, new]) == [old, old, {"2": old["2"], **new}]
