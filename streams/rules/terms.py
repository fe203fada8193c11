"""What rules look at, and how far back, account by account: worked out once and not at each judgement."""

from __future__ import annotations

from collections.abc import Iterable

from sori.remembered import Remembered
from sori.settings.rules import Rule
from streams.rules.click_view import Grid
from streams.rules.context import ACCOUNTS_BYTES, RuleContext
from streams.rules.place_view import PlaceRule
from streams.rules.window_view import WindowRule, settings_of


class Terms:
    """Of these rules."""

    def __init__(self, context: RuleContext, modules: Iterable[PlaceRule | WindowRule], grid: Grid) -> None:
        self._context = context
        self._modules = tuple(modules)
        self._grid = grid
        self._by_account: Remembered[str, dict[str, tuple[Rule, int]]] = Remembered(ACCOUNTS_BYTES)

    def of(self, account: str) -> dict[str, tuple[Rule, int]]:
        """By name: a rule's settings for an account, and how far before the end of its window it reads at least, ms."""
        found = self._by_account.get(account)
        if found is None:
            rules = self._context.of_account(account)
            named = [(module, settings_of(rules, module.NAME)) for module in self._modules]
            terms = {module.NAME: (rule, _least_ms(module, rule, self._grid)) for module, rule in named}
            found = self._by_account.remember(account, terms, 4 * len(account))
        return found


def _least_ms(module: PlaceRule | WindowRule, rule: Rule, grid: Grid) -> int:
    """A rule that judges several stretches judges those of which all is there."""
    return int(getattr(module, "least_lookback_ms", module.lookback_ms)(rule, grid))
