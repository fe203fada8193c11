"""Latencies as every bench reports them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable


def latency_figures(seconds: Iterable[float]) -> dict[str, float | None]:
    """Percentiles and the most; None where there are too few to say."""
    ages = sorted(seconds)
    cuts = statistics.quantiles(ages, n=100, method="inclusive") if len(ages) > 1 else None
    return {
        "p50_s": round(cuts[49], 3) if cuts else None,
        "p95_s": round(cuts[94], 3) if cuts else None,
        "p99_s": round(cuts[98], 3) if cuts else None,
        "max_s": round(ages[-1], 3) if ages else None,
    }
