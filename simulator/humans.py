"""How long people take. Log-normal delays: most are quick, a few are slow; seconds."""

from __future__ import annotations

import math
from random import Random

FASTEST_CLICK_S = 1.2  # nobody reads a banner and taps it sooner
_CLICK_MEDIAN_S, _CLICK_SIGMA = 5.0, 0.75
_NEXT_SPOT_MEDIAN_S, _NEXT_SPOT_SIGMA = 18.0, 0.8
_SHORTEST_SPOT_S = 5.0
_LOGIN_TO_SPOT_S = (0.8, 6.0)


def click_delay_ms(rng: Random) -> int:
    """From seeing a campaign to tapping it."""
    return int(1000 * (FASTEST_CLICK_S + rng.lognormvariate(math.log(_CLICK_MEDIAN_S), _CLICK_SIGMA)))


def next_spot_ms(rng: Random) -> int:
    """From one recognised spot to the next in the same session."""
    return int(1000 * (_SHORTEST_SPOT_S + rng.lognormvariate(math.log(_NEXT_SPOT_MEDIAN_S), _NEXT_SPOT_SIGMA)))


def mean_next_spot_s() -> float:
    """The mean of next_spot_ms, in seconds."""
    return _SHORTEST_SPOT_S + _NEXT_SPOT_MEDIAN_S * math.exp(_NEXT_SPOT_SIGMA**2 / 2)


def rest_until_spot_ms(rng: Random) -> int:
    """What is left of such a wait at a moment chosen at random: long waits are met more often (renewal theory)."""
    mu = math.log(_NEXT_SPOT_MEDIAN_S)
    if rng.random() * mean_next_spot_s() >= _SHORTEST_SPOT_S:
        mu += _NEXT_SPOT_SIGMA**2  # the length-biased log-normal
    return int(1000 * rng.random() * (_SHORTEST_SPOT_S + rng.lognormvariate(mu, _NEXT_SPOT_SIGMA)))


def login_to_spot_ms(rng: Random) -> int:
    """From signing in to the first recognised spot."""
    return int(1000 * rng.uniform(*_LOGIN_TO_SPOT_S))


def mean_login_to_spot_s() -> float:
    """The mean of login_to_spot_ms, in seconds."""
    return sum(_LOGIN_TO_SPOT_S) / 2


def rest_of_login_ms(rng: Random) -> int:
    """What is left of such a wait at a moment chosen at random."""
    shortest, longest = _LOGIN_TO_SPOT_S
    return int(1000 * rng.random() * math.sqrt(rng.uniform(shortest**2, longest**2)))
