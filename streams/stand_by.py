"""Waits until the worker whose place this process is to take has gone; see worker.standby."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from sori.settings import Settings
from streams.kafka.logs import Logs
from streams.kafka.membership import Predecessor
from streams.kafka.state_topic import StateTopic
from streams.kafka.verdict_log import VerdictLog
from streams.worker.keeper import Keeper
from streams.worker.partition import Hop
from streams.worker.standby import Standby, patiently

_log = structlog.get_logger(__name__)


def standby_of(keeper: Keeper | None, hops: Iterable[Hop], logs: Logs) -> Standby | None:
    """What `stand_by` runs; None where no snapshots are kept."""
    return None if keeper is None else Standby(keeper, {hop.topic: hop for hop in hops}, logs.learn)


async def stand_by(
    standby: Standby, settings: Settings, topic: StateTopic, verdicts: VerdictLog, stop: asyncio.Event
) -> bool:
    """Return once the other worker is gone, or `stop` is set; whether its place is to be taken."""
    _log.info("standing_by", instance_id=settings.streams.instance_id)

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
    # whoever joins the group with another one's id, even for a moment, has Kafka end that one
    return not stop.is_set()
