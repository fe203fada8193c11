"""How long people take. Log-normal delays: most are quick, a few are slow; seconds."""

from __future__ import annotations

import math
from random import Random

FASTEST_CLICK_S = 1.2  # nobody reads a banner and taps it sooner
_CLICK_MEDIAN_S, _CLICK_SIGMA = 5.0, 0.75
_NEXT_SPOT_MEDIAN_S, _NEXT_SPOT_SIGMA = 18.0, 0.8
_SHORTEST_SPOT_S = 5.0


def click_delay_ms(rng: Random) -> int:
    """From seeing a campaign to tapping it."""
    return int(1000 * (FASTEST_CLICK_S + rng.lognormvariate(math.log(_CLICK_MEDIAN_S), _CLICK_SIGMA)))


def next_spot_ms(rng: Random) -> int:
    """From one recognised spot to the next in the same session."""
    return int(1000 * (_SHORTEST_SPOT_S + rng.lognormvariate(math.log(_NEXT_SPOT_MEDIAN_S), _NEXT_SPOT_SIGMA)))


def login_to_spot_ms(rng: Random) -> int:
    """From signing in to the first recognised spot."""
    return int(1000 * rng.uniform(0.8, 6.0))
