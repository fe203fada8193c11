"""Memory for bodies: counted as received, shared fairly, and taken back from whoever has kept it longest. Pure."""

from __future__ import annotations

from collections.abc import Callable

#: One client's arriving bodies may hold this part of the budget.
_SHARE = 4


class Arriving:
    """A body that is not all here yet; `evict` ends it."""

    __slots__ = ("client", "evict", "proven", "size")

    def __init__(self, client: str, evict: Callable[[], None], *, proven: bool) -> None:
        self.client = client
        self.evict = evict
        self.proven = proven
        self.size = 0


class BodyBudget:
    """At most `limit` bytes of bodies, arriving or whole.

    Beyond it the body that has been arriving for longest is evicted: honest ones are here within a round trip. Those of
    senders whose connection has carried a verified event go last. One client's arriving bodies never hold more than a
    quarter, and beyond that evict each other: bodies of others are evicted only when many addresses conspire.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._arriving: tuple[dict[Arriving, None], dict[Arriving, None]] = {}, {}
        self._clients: dict[str, dict[Arriving, None]] = {}
        self._shares: dict[str, int] = {}

    @property
    def clients(self) -> int:
        """Clients that have a body arriving."""
        return len(self._clients)

    def grow(self, body: Arriving, size: int) -> None:
        """Count `size` bytes as received; evicts, the growing body itself if it is the oldest. `end` must follow."""
        if not body.size:
            self._arriving[body.proven][body] = None
            self._clients.setdefault(body.client, {})[body] = None
        body.size += size
        self.held += size
        self._shares[body.client] = self._shares.get(body.client, 0) + size
        while self._shares.get(body.client, 0) > self.limit // _SHARE:
            self._evict(next(iter(self._clients[body.client])))
        self._make_room(0)

    def end(self, body: Arriving) -> None:
        """A body is no longer arriving; what it held is free. Nothing for one that ended before, or never began."""
        mates = self._clients.get(body.client)
        if mates is None or body not in mates:
            return
        del mates[body], self._arriving[body.proven][body]
        self.held -= body.size
        self._shares[body.client] -= body.size
        if not mates:
            del self._clients[body.client], self._shares[body.client]

    def hold(self, size: int) -> bool:
        """Set memory aside for a whole body until `release`; False when even evicting leaves no room."""
        if not self._make_room(size):
            return False
        self.held += size
        return True

    def release(self, size: int) -> None:
        """A whole body is dealt with."""
        self.held -= size

    def _make_room(self, size: int) -> bool:
        while self.held + size > self.limit:
            victim = next((body for bodies in self._arriving for body in bodies), None)
            if victim is None:
                return False
            self._evict(victim)
        return True

    def _evict(self, body: Arriving) -> None:
        self.end(body)
        body.evict()
