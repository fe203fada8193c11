"""Rates of counts, as the views make them in SQL: here a row costs microseconds, there a query three times as much.

tests/api/console/test_rates.py holds both to one another. Pure.
"""

from __future__ import annotations

import math
from typing import Any

_Z, _ZZ = 1.959964, 3.841458881296
_NAMES = ("ctr", "ctr_low", "ctr_high")


def with_rates(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its rate and 95 % interval (Wilson, JASA 22, 1927), with and without suspect clicks.

    Of devices no suspect clicks are counted (None): nor are the rates without them.
    """
    impressions, clicks, suspect = row["impressions"], row["clicks"], row["suspect_clicks"]
    clean = (None, None, None) if suspect is None else wilson(impressions, clicks - min(clicks, suspect))
    return {
        **row,
        **dict(zip(_NAMES, wilson(impressions, clicks), strict=True)),
        **dict(zip((f"clean_{name}" for name in _NAMES), clean, strict=True)),
    }


def wilson(impressions: int, clicks: int) -> tuple[float, float, float]:
    """Rate, low and high; where clicks exceed impressions, impressions are taken to be as many."""
    n = max(impressions, clicks)
    if n == 0:
        return 0.0, 0.0, 1.0
    p = clicks / n
    half = _Z * math.sqrt(p * (1 - p) / n + _ZZ / (4 * n * n))
    low, high = ((p + _ZZ / (2 * n) + side) / (1 + _ZZ / n) for side in (-half, half))
    return p, max(0.0, low), min(1.0, high)  # rounding would put them just outside
