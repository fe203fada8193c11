"""Waits until the worker whose place this process is to take has gone; see worker.standby."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sori.settings import Settings
from streams.kafka.logs import Logs
from streams.kafka.membership import Predecessor
from streams.kafka.state_topic import StateTopic
from streams.kafka.verdict_log import VerdictLog
from streams.worker.keeper import Keeper
from streams.worker.partition import Hop
from streams.worker.standby import Standby, patiently


def standby_of(keeper: Keeper | None, hops: Iterable[Hop], logs: Logs) -> Standby | None:
    """What `stand_by` runs; None where no snapshots are kept."""
    return None if keeper is None else Standby(keeper, {hop.topic: hop for hop in hops}, logs.learn)


async def stand_by(
    standby: Standby, settings: Settings, topic: StateTopic, verdicts: VerdictLog, stop: asyncio.Event
) -> None:
    """Return once the other worker is gone, or `stop` is set."""

    async def until_gone() -> None:
        await verdicts.reach_end()
        async with Predecessor.watched(settings, topic) as other:
            await standby.until_gone(other)

    waiting = asyncio.ensure_future(patiently(until_gone))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
    finally:
        for task in (waiting, stopping):
            task.cancel()
        await asyncio.wait({waiting, stopping})
