"""Admission under load: in-flight bound and per-account token buckets. Pure: time is an argument."""

from __future__ import annotations


class TokenBuckets:
    """One bucket per key: `rate_per_s` tokens a second, at most `burst` saved up. Rate 0 lets everything pass."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate = rate_per_s
        self._burst = float(burst)
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now_s: float) -> bool:
        """Take one token; False when there is none. `now_s` is monotonic, seconds. Keys must be bounded."""
        if not self._rate:
            return True
        tokens, since = self._levels.get(key, (self._burst, now_s))
        tokens = min(self._burst, tokens + max(0.0, now_s - since) * self._rate)
        taken = tokens >= 1.0
        self._levels[key] = (tokens - 1.0 if taken else tokens, now_s)
        return taken


class AccountLabels:
    """Keeps metric labels and buckets bounded: proven accounts by name, up to a limit; everyone else shares one."""

    UNKNOWN, UNVERIFIED, OTHER = "unknown", "unverified", "other"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def of(self, account: str, *, proven: bool) -> str:
        """The label of an account; `proven`: a signature or an endpoint's list vouches for it."""
        if not account:
            return self.UNKNOWN
        if not proven:
            return self.UNVERIFIED
        if account not in self._known:
            if len(self._known) >= self._limit:
                return self.OTHER
            self._known.add(account)
        return account
