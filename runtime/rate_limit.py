"""Token buckets: a rate with a burst, per key. Pure: time is an argument."""

from __future__ import annotations


class TokenBuckets:
    """One bucket per key: `rate_per_s` tokens a second, at most `burst` saved up. Rate 0 lets everything pass.

    Holds at most `max_keys` buckets: the key unused for longest is forgotten, and starts full when it comes again.
    """

    def __init__(self, rate_per_s: float, burst: int, max_keys: int = 10_000) -> None:
        self._rate = rate_per_s
        self._burst = float(burst)
        self._max_keys = max_keys
        self._levels: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """Buckets held now."""
        return len(self._levels)

    def take(self, key: str, now_s: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens; False, and none taken, when there are too few. `now_s` is monotonic, seconds."""
        if not self._rate:
            return True
        tokens = self._tokens(key, now_s)
        taken = tokens >= cost
        self._levels.pop(key, None)  # it comes back as the one used last
        self._levels[key] = (tokens - cost if taken else tokens, now_s)
        if len(self._levels) > self._max_keys:
            del self._levels[next(iter(self._levels))]
        return taken

    def wait_s(self, key: str, now_s: float, cost: float = 1.0) -> float:
        """Seconds until `take` would succeed, 0 if it would now; what a Retry-After says."""
        if not self._rate:
            return 0.0
        return max(0.0, (cost - self._tokens(key, now_s)) / self._rate)

    def _tokens(self, key: str, now_s: float) -> float:
        tokens, since = self._levels.get(key, (self._burst, now_s))
        return min(self._burst, tokens + max(0.0, now_s - since) * self._rate)
