"""The registry of rules: what runs, explains or compares rules loops over it. To add a rule, add its line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import cast

from sori.events import CLICK
from sori.settings.rules import RulesSettings
from streams.rules import (
    click_without_impression,
    ctr_anomaly,
    device_auth_burst,
    device_click_burst,
    device_ctr,
    device_event_burst,
    device_farm,
    device_impressions,
    duplicate_click,
    excess_clicks,
    fast_click,
    geo_auth_burst,
    geo_click_burst,
    geo_ctr_anomaly,
    geo_hop,
    hourly_ctr,
    hourly_fast_click,
    hourly_sign_ins,
    local_ctr,
    replayed_click,
    returning_clickers,
)
from streams.rules.click_view import ClickRule, Grid
from streams.rules.place_view import PlaceRule
from streams.rules.window_view import WindowRule, settings_of

#: After each click of a device.
CLICK_RULES = cast(
    "tuple[ClickRule, ...]", (device_click_burst, duplicate_click, fast_click, click_without_impression, device_ctr)
)
#: After each event of a device from a count on, of those that are judged one by one.
COUNT_RULES = cast("tuple[WindowRule, ...]", (device_event_burst, device_auth_burst, device_impressions))
#: After a device was seen in a place new to its window.
MOVE_RULES = cast("tuple[WindowRule, ...]", (geo_hop,))
#: After a roll-up that adds clicks, or else what a rule is ASKED after, to a place or a campaign, or tells of a device.
PLACE_RULES = cast(
    "tuple[PlaceRule, ...]",
    (
        geo_click_burst,
        geo_auth_burst,
        geo_ctr_anomaly,
        device_farm,
        ctr_anomaly,
        replayed_click,
        returning_clickers,
        excess_clicks,
        local_ctr,
        hourly_ctr,
        hourly_fast_click,
        hourly_sign_ins,
    ),
)

#: Names of the rules that run in each hop.
DEVICE_RULES = (*(rule.NAME for rule in CLICK_RULES), *(rule.NAME for rule in (*COUNT_RULES, *MOVE_RULES)))
ROLL_UP_RULES = tuple(module.NAME for module in PLACE_RULES)


def every_rule() -> dict[str, ClickRule | WindowRule | PlaceRule]:
    """All rules by name."""
    rules: list[ClickRule | WindowRule | PlaceRule] = [*CLICK_RULES, *COUNT_RULES, *MOVE_RULES, *PLACE_RULES]
    return {module.NAME: module for module in rules}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One threshold in force, with its unit in the text."""

    name: str
    value: object
    meaning: str


@dataclass(frozen=True, slots=True)
class RuleCard:
    """A rule as a reader needs it. `before_s`: how far before the end of its window it reads."""

    name: str
    statement: str
    judges: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    before_s: int


def card(name: str, rules: RulesSettings, account: str, grid: Grid) -> RuleCard | None:
    """The rule with the account's parameters; None where there is no such rule."""
    module = every_rule().get(name)
    if module is None:
        return None
    rule = settings_of(rules.for_account(account), name)
    parameters = tuple(
        Parameter(field, getattr(rule, field), described.description or "")
        for field, described in type(rule).model_fields.items()
    )
    judges: tuple[str, ...] = getattr(module, "JUDGES", (CLICK,))
    statement = inspect.cleandoc(module.__doc__ or "")
    return RuleCard(name, statement, judges, parameters, module.lookback_ms(rule, grid) // 1000)
