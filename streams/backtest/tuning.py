"""Thresholds for each account by what analysts said: every step of a grid is replayed at once, then compared.

Rules and accounts do not see each other, so the best step of one may be chosen without regard to the others, and what
a proposal would have changed is exactly what its step changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

from sori.settings.rules import RulesSettings
from streams.backtest.compare import Alert
from streams.backtest.labels import Label, Score, scores
from streams.backtest.rules_file import changed

#: What the counts that open alerts are multiplied with; 1 stands for the rules in force.
FACTORS = (0.5, 0.7, 1.4, 2.0, 2.8, 4.0)
#: Counts that a rule asks for; those of one rule move together.
_COUNTS = ("floor", "ceiling", "quick_floor", "alternations")
_LEAST = 2

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Other parameters for a rule of an account, and how the judged alerts are treated now and then."""

    account: str
    rule: str
    parameters: dict[str, int]
    now: Score
    then: Score


def judged_pairs(labels: Iterable[Label], least: int) -> list[Pair]:
    """Account and rule of which at least so many alerts were judged."""
    found = Counter((label.alert["account_id"], label.alert["rule"]) for label in labels)
    return sorted(pair for pair, count in found.items() if count >= least)


def steps(rules: RulesSettings, pairs: Sequence[Pair]) -> list[RulesSettings]:
    """The rules in force, and with the counts of these pairs multiplied by each factor."""
    made = [rules]
    for factor in FACTORS:
        accounts: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
        for account, rule in pairs:
            accounts[account][rule] = scaled(rules, account, rule, factor)
        made.append(changed(rules, {"accounts": accounts}, "tune"))
    return made


def scaled(rules: RulesSettings, account: str, rule: str, factor: float) -> dict[str, int]:
    """A rule's counts for an account times a factor."""
    own = getattr(rules.for_account(account), rule)
    return {name: max(_LEAST, round(getattr(own, name) * factor)) for name in _COUNTS if name in type(own).model_fields}


def proposals(
    rules: RulesSettings,
    labels: Sequence[Label],
    pairs: Sequence[Pair],
    sides: Sequence[Iterable[Alert]],
    span: tuple[str | None, str | None],
) -> list[Proposal]:
    """For each pair the step that `_best` prefers, unless it is to stay. `sides`: what each of `steps` raises."""
    raised = [_by_account(side) for side in sides]
    found = []
    for account in sorted({account for account, _ in pairs}):
        own = [label for label in labels if label.alert["account_id"] == account]
        tried = [scores(own, side.get(account, ()), *span) for side in raised]
        for rule in (rule for of, rule in pairs if of == account):
            by_step = [one.get(rule, Score()) for one in tried]
            best = _best(by_step)
            if best:
                parameters = scaled(rules, account, rule, FACTORS[best - 1])
                found.append(Proposal(account, rule, parameters, by_step[0], by_step[best]))
    return found


def _best(by_step: Sequence[Score]) -> int:
    """The step to take, 0 being to stay: no confirmed alert may be lost; fewest false ones, most confirmed ones, and
    then the one that changes least."""
    now = set(by_step[0].found)
    fit = [at for at, score in enumerate(by_step) if now <= set(score.found)]
    return min(fit, key=lambda at: (len(by_step[at].accused), -len(by_step[at].found), _distance(at)))


def _distance(step: int) -> float:
    return abs(log(FACTORS[step - 1])) if step else 0.0


def _by_account(alerts: Iterable[Alert]) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        found[alert["account_id"]].append(alert)
    return found
