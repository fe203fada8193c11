"""Follows the group's rebalances: every change of assignment begins a new epoch, and old work must not outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import ConsumerRebalanceListener, TopicPartition

#: How long a revocation waits for the insert under way to end and be committed, seconds.
GRACE_S = 10.0


class Superseded(Exception):
    """The partitions may belong to someone else now; whoever owns them reads from the committed offsets."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """`epoch` changes whenever partitions are taken or given; `stale` until the owner has positioned itself anew."""

    def __init__(self) -> None:
        self.epoch = 0
        self.stale = True
        self.in_flight: asyncio.Task[None] | None = None

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - signature
        """Let the insert under way end and commit while we still may."""
        if self.in_flight is not None:
            await asyncio.wait({self.in_flight}, timeout=GRACE_S)
        self._turn()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - signature
        """Whatever was fetched before is not to be trusted."""
        self._turn()

    def check(self, epoch: int) -> None:
        """Raise Superseded if `epoch` is over."""
        if epoch != self.epoch:
            raise Superseded

    def _turn(self) -> None:
        self.epoch += 1
        self.stale = True
