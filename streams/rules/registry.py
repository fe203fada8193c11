"""The rules by name: what each one says of its statistic, what it looks at, and how far before its window it reads."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType

from sori.events import AUTHENTICATION, CLICK
from sori.settings.rules import RulesSettings
from streams.rules import (
    click_without_impression,
    ctr_anomaly,
    device_click_burst,
    device_counts,
    device_farm,
    duplicate_click,
    fast_click,
    geo_click_burst,
    geo_hop,
)

_MODULES: dict[str, ModuleType] = {
    "device_click_burst": device_click_burst,
    "device_event_burst": device_counts,
    "device_auth_burst": device_counts,
    "duplicate_click": duplicate_click,
    "click_without_impression": click_without_impression,
    "fast_click": fast_click,
    "geo_hop": geo_hop,
    "geo_click_burst": geo_click_burst,
    "geo_ctr_anomaly": ctr_anomaly,
    "ctr_anomaly": ctr_anomaly,
    "device_farm": device_farm,
}
#: Kinds of events that a rule judges; none: all kinds.
_JUDGES = {"device_event_burst": (), "device_auth_burst": (AUTHENTICATION,), "geo_hop": ()}
_BASELINES = ("baseline_s", "horizon_s", "baseline_windows", "windows")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One threshold in force, with its unit in the text."""

    name: str
    value: object
    meaning: str


@dataclass(frozen=True, slots=True)
class RuleCard:
    """A rule as a reader needs it. `before_s`: how far before the window its past reaches."""

    name: str
    statement: str
    judges: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    before_s: int


def card(name: str, rules: RulesSettings, account: str, window_s: int) -> RuleCard | None:
    """The rule with the account's parameters; None where there is no such rule."""
    module = _MODULES.get(name)
    if module is None:
        return None
    rule = getattr(rules.for_account(account), name)
    parameters = tuple(
        Parameter(field, getattr(rule, field), described.description or "")
        for field, described in type(rule).model_fields.items()
    )
    spans = [
        int(getattr(rule, field)) * (window_s if field.endswith("windows") else 1)
        for field in _BASELINES
        if hasattr(rule, field)
    ]
    statement = inspect.cleandoc(module.__doc__ or "")
    return RuleCard(name, statement, _JUDGES.get(name, (CLICK,)), parameters, max(spans, default=300))
