"""When SORI tries again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sori.sender_schedule import CONTRACT


@dataclass(frozen=True)
class RetryPolicy:
    """Up to `retries` after the first attempt, exponential backoff from `first_s` with ±`jitter`; times in seconds."""

    retries: int = CONTRACT.retries
    first_s: float = CONTRACT.first_backoff_s
    factor: float = CONTRACT.backoff_factor
    jitter: float = CONTRACT.jitter
    timeout_s: float = CONTRACT.timeout_s

    def pause_s(self, retry: int, rng: Random) -> float:
        """How long to wait before this retry, counted from 1."""
        return self.first_s * self.factor ** (retry - 1) * rng.uniform(1 - self.jitter, 1 + self.jitter)
