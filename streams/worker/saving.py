"""What a partition's snapshots are made of at the moment: parts not stored yet, and what was taken at a flush."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.operators.snapshots import SnapshotOperator
from streams.snapshots.chain import Chain
from streams.snapshots.parts import Changes
from streams.state.checkpoint import Position


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that is not stored yet: it stands before `offset`, on all parts taken so far."""

    offset: int
    rest: Changes
    live_from_ms: int


@dataclass(slots=True)
class Saving:
    """`wanted`: the next flush is to take a snapshot. `newest`: the manifest of the newest one stored, whose state
    stands before the record at `stands_at`. `named`: the one that a commit names since records were deleted.

    `writing` is held while records are stored: one after the other, since positions tell the order.
    """

    operator: SnapshotOperator
    chain: Chain = field(default_factory=Chain)
    newest: Position | None = None
    stands_at: int = -1
    due_s: float = 0.0
    wanted: bool = False
    parts: list[Changes] = field(default_factory=list)
    taken: Taken | None = None
    named: Position | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _taking: Iterator[Changes] = field(default_factory=lambda: iter(()))

    def steps(self) -> Iterator[None]:
        """Take what changed, part by part; records may be applied between two of them.

        What was taken before and could not be stored is part of the next snapshot.
        """
        self.taken = None
        self._taking = self.operator.take_changes()
        for part in self._taking:
            self.parts.append(part)
            yield

    def take(self) -> None:
        """Right after a flush: take a snapshot, to be stored."""
        operator = self.operator
        self.parts += [*self._taking, *operator.take_changes()]
        self.taken = Taken(operator.next_offset, Changes(operator.take_rest(), 0), operator.live_from_ms)
        self.wanted = False
