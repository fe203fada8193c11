"""The few statistics that rules need."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, lgamma, log, log1p, pi, sqrt

#: Two-sided 95 %.
Z95 = 1.959963984540054
#: Two-sided 99 %.
Z99 = 2.5758293035489004


def wilson(successes: float, trials: float, z: float = Z95) -> tuple[float, float]:
    """Bounds of a proportion (Wilson 1927, score interval); (0, 1) without trials. Successes are capped at trials."""
    if trials <= 0:
        return 0.0, 1.0
    p = min(successes / trials, 1.0)
    z2 = z * z
    centre = p + z2 / (2 * trials)
    spread = z * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    scale = 1 + z2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def wilson_lower(successes: float, trials: float, z: float = Z95) -> float:
    """Lower bound of `wilson`."""
    return wilson(successes, trials, z)[0]


def poisson_tail(count: int, mean: float) -> float:
    """Chance that a Poisson variable of this mean is at least `count`: its terms summed from there until they fade."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if count <= mean:
        return max(0.0, 1.0 - _terms_below(count, mean))
    term = total = exp(count * log(mean) - mean - lgamma(count + 1))
    k = count
    while term > total * 1e-12:
        k += 1
        term *= mean / k
        total += term
    return min(1.0, total)


def binomial_tail(count: int, trials: int, share: float) -> float:
    """Chance that at least `count` of so many trials succeed, each with a chance of `share`: terms until they fade."""
    if count <= 0 or count > trials:
        return float(count <= 0)
    if not 0 < share < 1:
        return float(share >= 1)
    above, odds = count > trials * share, share / (1 - share)
    k = count if above else count - 1  # from here on terms fall
    chance = lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1) + k * log(share) + (trials - k) * log1p(-share)
    term = total = exp(chance)
    while term > total * 1e-12:
        term *= (trials - k) / (k + 1) * odds if above else k / (trials - k + 1) / odds
        k += 1 if above else -1
        total += term
    return min(1.0, total) if above else max(0.0, 1.0 - total)


def some_of(trials: int, share: float) -> tuple[float, float]:
    """Mean and variance of how many of some trials succeed, where one at least does."""
    if trials <= 1:
        return float(trials), 0.0
    mean, some = trials * share, 1 - (1 - share) ** trials
    return mean / some, (mean * (1 - share) + mean**2) / some - (mean / some) ** 2


def _terms_below(count: int, mean: float) -> float:
    return sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count))


def many_runs(changes: int, counts: Sequence[int]) -> tuple[float, float]:
    """Of things of several kinds in a random order: how often the kind changes, and the chance of so many changes.

    Mean and variance by Barton and David (1957), for two kinds those of Wald and Wolfowitz (1940); a normal tail.
    """
    n = sum(counts)
    squares, cubes = sum(count**2 for count in counts), sum(count**3 for count in counts)
    if n < 2:
        return 0.0, 1.0
    mean = n - squares / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n * n * (n - 1))
    if variance <= 0:
        return mean, 1.0
    return mean, erfc((changes - mean) / sqrt(2 * variance)) / 2


def even_gaps(spread: float, count: int) -> float:
    """Greatest chance that `count` gaps between events at random have no greater `spread`: variance by squared mean.

    Greenwood's (1946) statistic. Gaps between such events are any point of the simplex alike, and these are in the ball
    around its centre: the bound is the ball's volume by the simplex'.
    """
    if count < 2 or spread >= 1:
        return 1.0
    if spread <= 0:
        return 0.0
    m = count - 1
    ball = m / 2 * log(pi * count * spread) - lgamma(m / 2 + 1)
    simplex = log(count) / 2 + m * log(count) - lgamma(count)
    return exp(min(0.0, ball - simplex))
