"""When SORI tries again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class RetryPolicy:
    """Up to `retries` after the first attempt, exponential backoff from `first_s` with ±`jitter`; times in seconds."""

    retries: int = 3
    first_s: float = 1.0
    factor: float = 2.0
    jitter: float = 0.2
    timeout_s: float = 5.0

    def pause_s(self, retry: int, rng: Random) -> float:
        """How long to wait before this retry, counted from 1."""
        return self.first_s * self.factor ** (retry - 1) * rng.uniform(1 - self.jitter, 1 + self.jitter)
