"""How grave an alert is."""

from __future__ import annotations

from sori.alerting.alert import Severity

_GRAVITY: tuple[Severity, ...] = ("low", "medium", "high", "critical")
_SEVERITIES: tuple[tuple[float, Severity], ...] = ((10.0, "critical"), (4.0, "high"), (2.0, "medium"))


def graver(one: Severity, other: Severity) -> Severity:
    """The worse of both."""
    return max(one, other, key=_GRAVITY.index)


def severity_of(observed: float, threshold: float) -> Severity:
    """How far above its threshold a count is: critical from 10 times, high from 4, medium from 2, else low."""
    ratio = observed / threshold if threshold > 0 else 0.0
    for least, name in _SEVERITIES:
        if ratio >= least:
            return name
    return "low"
