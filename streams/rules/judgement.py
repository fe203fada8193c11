"""What a rule says of a subject that exceeds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sori.alerting.alert import Severity
from streams.alerts.severity import severity_of


@dataclass(frozen=True, slots=True)
class Judgement:
    """Counts over the rule's window; `details` go into the alert's evidence."""

    observed: float
    expected: float
    floor: float
    severity: Severity
    details: dict[str, Any] = field(default_factory=dict)

    def with_details(self, **details: Any) -> Judgement:
        """The same judgement, with more evidence."""
        return Judgement(self.observed, self.expected, self.floor, self.severity, {**self.details, **details})


def exceeded(observed: float, expected: float, floor: float, **details: float | str) -> Judgement:
    """A judgement whose severity is how far the floor is exceeded."""
    return Judgement(observed, expected, floor, severity_of(observed, floor), details)


def judge_burst(observed: float, expected: float, floor: float, factor: float, ceiling: float) -> Judgement | None:
    """A count far above its own past: at least `floor`, and either `factor` times expected or at least `ceiling`.

    The ceiling is for a subject that never stops: it must not become its own excuse.
    """
    if observed < floor or (observed < factor * expected and observed < ceiling):
        return None
    return exceeded(observed, expected, floor)
