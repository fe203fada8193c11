"""Whose name a metric or a bucket may carry. Pure."""

from __future__ import annotations


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
