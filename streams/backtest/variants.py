"""The live operators, judged by several sets of rules at once: events are decoded and counted once, judged per set.

What is counted does not depend on the rules, so each set sees exactly the state that it would see alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sori.settings.rules import RulesSettings
from streams.alerts.episodes import EpisodeBook
from streams.backtest.rule_sets import EveryDeviceRules, EveryPlaceRules
from streams.backtest.sources.history import Entry
from streams.operators.base import PartitionOperator
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules.context import RuleContext
from streams.rules.run_device_rules import DeviceRules
from streams.rules.run_place_rules import PlaceRules
from streams.state.checkpoint import Checkpoint
from streams.state.output import Output
from streams.state.policy import EpisodePolicy, TimePolicy

R = TypeVar("R", DeviceRules, PlaceRules)


class DeviceVariants(DeviceOperator):
    """Hop 1 of one partition under several sets of rules. It owes alerts and roll-ups, and no rows of windows."""

    def __init__(
        self, partition: int, policy: TimePolicy, variants: Sequence[RulesSettings], resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, variants[0], resume)
        made = _others(self, variants, lambda context: DeviceRules(context, self._store))
        self.books = [self.episodes, *(book for book, _, _ in made)]
        self._contexts = [context for _, context, _ in made]
        if made:
            self._rules = EveryDeviceRules([self._rules, *(rules for _, _, rules in made)])

    def harvest(self) -> tuple[list[Output], list[list[Output]]]:
        """As `flush`: roll-ups, and alerts of each set."""
        roll_ups = self._dirty.roll_ups(self.next_offset)
        self._forget_rows()
        return roll_ups, _owed(self, self.books)

    def _evict(self, horizon_ms: int) -> None:
        super()._evict(horizon_ms)
        for context in self._contexts:
            context.forget_closed()


class PlaceVariants(PlaceOperator):
    """Hop 2 of one partition under several sets of rules."""

    def __init__(
        self, partition: int, policy: TimePolicy, variants: Sequence[RulesSettings], resume: Checkpoint | None = None
    ) -> None:
        super().__init__(partition, policy, variants[0], resume)
        made = _others(self, variants, lambda context: PlaceRules(context, self._panes, self._series))
        self.books = [self.episodes, *(book for book, _, _ in made)]
        if made:
            self._rules = EveryPlaceRules([self._rules, *(rules for _, _, rules in made)])

    def merge(self, rows: bytes) -> None:
        """As `apply` of one record that holds these rows."""
        self._apply_one(Entry(self.next_offset, 0, rows, ()))
        if self.clock.watermark >= self.clock.due_ms:
            self._judge_due(self.clock.watermark)
        self.next_offset += 1

    def harvest(self) -> list[list[Output]]:
        """As `flush`: alerts of each set."""
        return _owed(self, self.books)


def let_pass(operator: DeviceVariants | PlaceVariants, silent_ms: int) -> None:
    """As workers do with a silent partition: its event time goes on as the clock does. And show every open episode."""
    operator.let_pass(operator.clock.watermark + max(0, silent_ms))
    for book in operator.books:
        book.show_pending()


def _others(
    operator: PartitionOperator, variants: Sequence[RulesSettings], rules_of: Callable[[RuleContext], R]
) -> list[tuple[EpisodeBook, RuleContext, R]]:
    """What all sets but the first judge with: they share the operator's state, and have books of their own."""
    made = []
    for rules in variants[1:]:
        policy = EpisodePolicy.of(rules, operator.policy.lateness_ms)
        book = operator.book(policy, operator.policy)
        context = RuleContext(rules, operator.policy, book, operator.clock, operator._replay_start)  # noqa: SLF001 - as the operator's own
        made.append((book, context, rules_of(context)))
    return made


def _owed(operator: PartitionOperator, books: Sequence[EpisodeBook]) -> list[list[Output]]:
    """Alerts of each set, and what is over forgotten."""
    watermark, alerts = operator.clock.watermark, []
    for book in books:
        book.sweep(watermark)
        alerts.append(book.flush(operator.next_offset))
    operator._evict(operator.policy.horizon(watermark))  # noqa: SLF001 - as its flush does
    return alerts
