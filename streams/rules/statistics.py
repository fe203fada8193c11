"""The few statistics that rules need."""

from __future__ import annotations

from math import sqrt

from streams.alerts import Severity

#: Two-sided 95 %.
Z95 = 1.959963984540054

_SEVERITIES: tuple[tuple[float, Severity], ...] = ((10.0, "critical"), (4.0, "high"), (2.0, "medium"))


def wilson_lower(successes: float, trials: float, z: float = Z95) -> float:
    """Lower bound of a proportion (Wilson 1927, score interval); 0 without trials. Successes are capped at trials."""
    if trials <= 0:
        return 0.0
    p = min(successes / trials, 1.0)
    z2 = z * z
    centre = p + z2 / (2 * trials)
    spread = z * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    return max(0.0, (centre - spread) / (1 + z2 / trials))


def severity_of(observed: float, threshold: float) -> Severity:
    """How far above its threshold a count is: critical from 10 times, high from 4, medium from 2, else low."""
    ratio = observed / threshold if threshold > 0 else 0.0
    for least, name in _SEVERITIES:
        if ratio >= least:
            return name
    return "low"
