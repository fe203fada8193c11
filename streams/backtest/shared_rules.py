"""What several sets of rules have in common is judged once.

An alert follows from its rule's parameters, the allow-list, the episodes' lengths and what was counted; rules do not
see each other. So where those are equal in two sets, a rule raises the same alerts in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sori.settings.rules import Rule, RulesSettings
from streams.backtest.device_hop import Alerts


class Shared:
    """Sets of rules. `judged` are those to run: the first one, and of each other what differs from it, if anything."""

    def __init__(self, variants: Sequence[RulesSettings]) -> None:
        self._common = [_common(variants[0], other) for other in variants[1:]]
        self._differ = [len(common) < len(_rules(variants[0])) for common in self._common]
        others = zip(variants[1:], self._common, self._differ, strict=True)
        self.judged = [variants[0], *(_without(rules, common) for rules, common, differ in others if differ)]

    def of_all(self, found: Sequence[Alerts]) -> list[Alerts]:
        """Alerts of every set, given those of the judged ones."""
        rest = iter(found)
        first = next(rest)
        alerts = [first]
        for common, differ in zip(self._common, self._differ, strict=True):
            own = next(rest) if differ else {}
            alerts.append({**{name: body for name, body in first.items() if body["rule"] in common}, **own})
        return alerts


def _rules(rules: RulesSettings) -> list[str]:
    return [name for name in type(rules).model_fields if isinstance(getattr(rules, name), Rule)]


def _common(one: RulesSettings, other: RulesSettings) -> frozenset[str]:
    """Rules with the same parameters in both, for every account."""
    if (one.episodes, one.allow) != (other.episodes, other.allow):
        return frozenset()
    accounts = one.accounts.keys() | other.accounts.keys()
    pairs = [(one, other), *((one.for_account(account), other.for_account(account)) for account in sorted(accounts))]
    return frozenset(name for name in _rules(one) if all(getattr(a, name) == getattr(b, name) for a, b in pairs))


def _without(rules: RulesSettings, names: frozenset[str]) -> RulesSettings:
    """These rules, with some turned off for every account."""
    plain: dict[str, Any] = rules.model_dump()
    for name in names:
        plain[name]["enabled"] = False
    plain["accounts"] = {
        account: {rule: changes for rule, changes in overrides.items() if rule not in names}
        for account, overrides in rules.accounts.items()
    }
    return RulesSettings.model_validate(plain)
