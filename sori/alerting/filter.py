"""Which alerts somebody wants to hear of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, get_args

import msgspec

from sori.alerting.alert import ENDED, Alert, Severity, State
from sori.errors import ConfigError
from sori.places import composed, within
from sori.rule_names import RULES
from sori.suggest import none_of

_MOST_VALUES, _MOST_LENGTH = 100, 256
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=_MOST_LENGTH)]
_Texts = Annotated[tuple[_Text, ...], msgspec.Meta(max_length=_MOST_VALUES)]
#: In a schema only: what is stored may name a rule of another version, and must be readable all the same.
_Rule = Annotated[str, msgspec.Meta(min_length=1, max_length=_MOST_LENGTH, extra_json_schema={"enum": list(RULES)})]
#: What people ask for, beside the states: alerts that are not over.
OPEN = "open"
FIELDS = ("accounts", "rules", "severities", "places", "campaigns", "states")


class AlertFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An alert passes when every field that is not empty has a value for it. All empty: every alert passes.

    A place is `country`, `country/region` or `country/region/city` and takes in everything below it. A country or
    region that holds a `/` has it written `%2F`; a city may hold it as it is.
    """

    accounts: _Texts = ()
    rules: Annotated[tuple[_Rule, ...], msgspec.Meta(max_length=_MOST_VALUES)] = ()
    severities: Annotated[tuple[Severity, ...], msgspec.Meta(max_length=_MOST_VALUES)] = ()
    places: _Texts = ()
    campaigns: _Texts = ()
    states: Annotated[tuple[State, ...], msgspec.Meta(max_length=_MOST_VALUES)] = ()

    def check(self) -> AlertFilter:
        """Itself. Raises ConfigError for too many, too long or unknown values."""
        for name in FIELDS:
            values = getattr(self, name)
            if len(values) > _MOST_VALUES or any(not 0 < len(value) <= _MOST_LENGTH for value in values):
                raise ConfigError(f"{name}: at most {_MOST_VALUES} values of 1 to {_MOST_LENGTH} characters")
        for name, known in (("severities", get_args(Severity)), ("states", get_args(State))):
            wrong = [value for value in getattr(self, name) if value not in known]
            if wrong:
                raise ConfigError(none_of(name, wrong[0], known))
        return self

    def check_rules(self) -> AlertFilter:
        """Itself. Raises ConfigError for a rule that there is not: no alert would ever pass."""
        wrong = [rule for rule in self.rules if rule not in RULES]
        if wrong:
            raise ConfigError(none_of("rules", wrong[0], RULES))
        return self

    def matches(self, alert: Alert) -> bool:
        """Whether this alert passes."""
        return (
            _has(self.accounts, alert.account_id)
            and (not self.rules or not alert.rules.isdisjoint(self.rules))
            and _has(self.severities, alert.severity)
            and _has(self.states, alert.state)
            and (not self.places or any(_within(place, self.places) for place in alert.places))
            and (not self.campaigns or not alert.campaigns.isdisjoint(self.campaigns))
        )


def states_meant(asked: Iterable[str]) -> tuple[str, ...]:
    """The states behind the words of a question: `open` is all that is not over."""
    given = set(asked)
    return tuple(state for state in get_args(State) if state in given or (OPEN in given and state not in ENDED))


def narrowed(wanted: tuple[str, ...], allowed: frozenset[str] | None) -> tuple[str, ...] | None:
    """The accounts of a filter under a token's: never wider than `allowed` (None: every account).

    None when nothing is left, which must not be mistaken for the empty filter that lets everything pass.
    """
    if allowed is None:
        return wanted
    left = tuple(sorted(allowed.intersection(wanted) if wanted else allowed))
    return left or None


def _has(wanted: tuple[str, ...], value: str) -> bool:
    return not wanted or value in wanted


def _within(subject: str, places: Iterable[str]) -> bool:
    return any(within(subject, composed(place)) for place in places)
