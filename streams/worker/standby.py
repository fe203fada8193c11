"""A worker that waits beside one with the same static id, its state loaded, and takes its place once that one is gone.

It joins no group meanwhile. What it loads are the snapshots that the other one's commits name, each on top of the one
before; so taking over means to load what the last snapshot adds. Where that does not fit, all is loaded as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import structlog
from faust.types import TP

from sori.errors import StorageUnavailable
from streams.state.checkpoint import Checkpoint
from streams.worker.keeper import Keeper
from streams.worker.partition import Hop

_log = structlog.get_logger(__name__)

#: Between two looks at the group and its commits.
_LOOK_S = 1.0


class Other(Protocol):
    """The worker whose place is to be taken; see kafka.membership. Every call raises StorageUnavailable."""

    async def said_left(self) -> bool: ...
    async def partitions(self) -> frozenset[TP] | None: ...
    async def committed(self, tps: Collection[TP]) -> Mapping[TP, Checkpoint]: ...


class Standby:
    """`learn` is told of which topics states are followed, before any is."""

    def __init__(
        self, keeper: Keeper, hops: Mapping[str, Hop], learn: Callable[[Collection[str]], Awaitable[None]]
    ) -> None:
        self._keeper = keeper
        self._hops = hops
        self._learn = learn
        self._held: frozenset[TP] = frozenset()
        self._loaded = False

    def missing(self) -> dict[str, str]:
        """Why it cannot take over within a second; empty: it can."""
        return {} if self._loaded else {"standby": "the state of the worker to be replaced is not loaded yet"}

    async def until_gone(self, other: Other) -> None:
        """Follow what the other one holds; return when it is gone. Raises StorageUnavailable."""
        looked_s = 0.0
        while not await other.said_left():
            if time.monotonic() - looked_s < _LOOK_S:
                continue
            now = await other.partitions()
            if now is None:
                _log.info("predecessor_gone", said_so=False)
                return
            if now != self._held:
                await self._learn({tp.topic for tp in now})
                self._held = now
                for tp in self._keeper.warm.keys() - now:
                    del self._keeper.warm[tp]
            await self._follow(await other.committed(now))
            looked_s = time.monotonic()
        _log.info("predecessor_gone", said_so=True)

    async def _follow(self, commits: Mapping[TP, Checkpoint]) -> None:
        """One after the other: the machine may be that of the worker which does the work."""
        followed = [await self._keeper.follow(self._hops[tp.topic], tp, commit) for tp, commit in commits.items()]
        if all(followed) and not self._loaded:
            self._loaded = True
            _log.info("standby_warm", partitions=len(commits))
        await asyncio.sleep(0)


async def patiently(wait: Callable[[], Awaitable[None]], pause_s: float = _LOOK_S) -> None:
    """Again, where Kafka does not answer: there is nothing else to do."""
    while True:
        try:
            return await wait()
        except StorageUnavailable as error:
            _log.warning("standby_waits_for_kafka", error=str(error))
            await asyncio.sleep(pause_s)
