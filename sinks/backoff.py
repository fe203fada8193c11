"""Pauses between tries: exponential with full jitter, bounded."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds."""

    first_s: float
    longest_s: float

    def pause(self, attempt: int, rng: random.Random) -> float:
        """Pause after failed try number `attempt` (from 0): half of the exponential step, plus up to the other half."""
        step: float = min(self.longest_s, self.first_s * 2.0 ** min(attempt, 32))
        return step / 2 + rng.random() * step / 2
