"""Connections that wait for their client, oldest first: a new one may take the place of one of them."""

from __future__ import annotations

from typing import Protocol


class Evictable(Protocol):
    """A connection."""

    @property
    def proven(self) -> bool:
        """Whether a verified event came on it."""
        ...

    def evict(self) -> bool:
        """Close it now; False, and nothing done, when it waits no longer: a request has come that is not read yet."""
        ...


class WaitingConnections:
    """Idle ones, half-sent heads and bodies, unread answers: whatever makes no progress by our doing.

    Every step is constant time. Those that have carried a verified event go last: an attacker's connections cannot push
    out the kept ones of an honest sender, from however many addresses they come. Times are monotonic, seconds.
    """

    def __init__(self) -> None:
        self._waiting: tuple[dict[Evictable, float], dict[Evictable, float]] = {}, {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting))

    def add(self, connection: Evictable, now_s: float) -> None:
        """It waits from now on; one that waits already keeps its place."""
        self._waiting[connection.proven].setdefault(connection, now_s)

    def discard(self, connection: Evictable) -> None:
        """It waits no longer."""
        if self._waiting[connection.proven].pop(connection, None) is None:
            self._waiting[not connection.proven].pop(connection, None)

    def evict_oldest(self, since_s: float) -> bool:
        """Close the one that has waited for longest, at least since `since_s`; whether there was one."""
        while connections := self._waiting[0] or self._waiting[1]:
            connection = next(iter(connections))
            if connections[connection] > since_s:
                return False
            del connections[connection]
            if connection.evict():
                return True
        return False
