"""Delays between attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with jitter: `first_s`, doubled per failure up to `most_s`, each times 0.5 to 1.

    The jitter keeps many clients of one failed server from coming back at the same moment.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    random: random.Random = field(default_factory=random.Random)
    _failures: int = 0

    def next_s(self) -> float:
        """Seconds to wait before the next attempt; longer each time."""
        limit = min(self.most_s, self.first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return limit * self.random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over, after something worked."""
        self._failures = 0
