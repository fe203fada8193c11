"""How active people are over the local day."""

from __future__ import annotations

import math

_HOUR_MS = 3_600_000
_QUIET = 0.15  # activity at night as a share of the evening peak


def activity(hour_utc: float, longitude: float) -> float:
    """Activity between 0.15 (04:00 local) and 1 (evening): two raised cosines, one peak at lunch and one at 20:00."""
    local = (hour_utc + longitude / 15) % 24
    evening = _bump(local, 20.0, 5.0)
    lunch = 0.7 * _bump(local, 12.5, 4.5)
    return _QUIET + (1 - _QUIET) * max(evening, lunch)


def hour_utc(at_ms: int) -> float:
    """Hour of the day, 0 to 24, truncated to the hour so that a plan depends on the clock as little as it can."""
    return float(at_ms // _HOUR_MS % 24)


def _bump(local: float, peak: float, width: float) -> float:
    distance = min(abs(local - peak), 24 - abs(local - peak))
    return (1 + math.cos(math.pi * distance / width)) / 2 if distance < width else 0.0
