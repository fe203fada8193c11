"""The two places where an event can be safe, as the committer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingest.admission.record import Record


class Log(Protocol):
    """Kafka. `write` returns when all replicas have the records; after an error they may have them all the same."""

    @property
    def connected(self) -> bool:
        """Whether the last thing heard of Kafka was good."""
        ...

    async def connect(self) -> None:
        """Connect afresh, bounded. Raises StorageUnavailable."""
        ...

    async def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Store a group, bounded. Raises StorageUnavailable and is then no longer connected."""
        ...

    async def close(self) -> None:
        """Flush and close, bounded; never raises."""
        ...


class Spool(Protocol):
    """The local disk: first in, first out, and nothing in it is lost with the process."""

    @property
    def pending(self) -> int:
        """Records not yet dropped."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether an append would be tried."""
        ...

    async def append(self, records: Sequence[Record]) -> None:
        """Return when the records are on disk (fsync). Raises StorageUnavailable when full or broken: none is kept."""
        ...

    async def peek(self, limit: int) -> list[Record]:
        """The oldest records, in order."""
        ...

    async def drop(self, count: int) -> None:
        """Forget the oldest `count` records: they are in Kafka."""
        ...

    async def park(self) -> None:
        """Set the oldest record aside: the broker refuses it for good."""
        ...
