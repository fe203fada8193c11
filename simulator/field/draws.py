"""How the particulars of a world are drawn: ranges on a log scale, log-normal delays, and three levels of hiding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Literal

from simulator.plan import Range, Span

#: obvious: any guard sees it. should: an analyst who looks must call it fraud. stealthy: close to honest traffic.
Level = Literal["obvious", "should", "stealthy"]
LEVELS: tuple[Level, ...] = ("obvious", "should", "stealthy")
ByLevel = Mapping[Level, Range]
#: No source tells how much fraud is hidden how well; most reported cases are neither plain nor perfect.
LEVEL_WEIGHTS = (0.35, 0.40, 0.25)


def drawn(rng: Random, bounds: Range) -> float:
    """Log-uniform between the bounds: the scale is unknown, so each factor is as likely as the next."""
    low, high = bounds
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def drawn_whole(rng: Random, bounds: Range) -> int:
    """The same as a whole number of at least one."""
    return max(1, round(drawn(rng, bounds)))


def spread_ms(rng: Random, median_s: float, sigma: float) -> int:
    """A log-normal delay."""
    return int(1000 * rng.lognormvariate(math.log(median_s), sigma))


def scattered(rng: Random, window: Span, count: int) -> list[int]:
    """`count` moments of the window, evenly at random, in order."""
    return sorted(rng.randrange(window.start_ms, max(window.start_ms + 1, window.end_ms)) for _ in range(count))


def paced(rng: Random, window: Span, every_s: float, jitter: float) -> list[int]:
    """Moments one after the other; each gap is log-normal around `every_s` with sigma `jitter`."""
    found, at = [], window.start_ms + rng.random() * every_s * 1000
    while at < window.end_ms:
        found.append(int(at))
        at += max(1.0, 1000 * every_s * rng.lognormvariate(0.0, jitter))
    return found
