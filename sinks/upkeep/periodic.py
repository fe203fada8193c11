"""Work that is done again and again beside the sinks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from sinks.insert.failures import InsertFailure
from sori.errors import StorageUnavailable

_log = structlog.get_logger(__name__)


async def periodically(
    name: str,
    work: Callable[[], Awaitable[object]],
    interval_s: float,
    stop: asyncio.Event,
    is_ours: Callable[[], bool],
) -> None:
    """Do `work` every `interval_s` seconds until `stop`, while it is ours; trouble is logged and waited out."""
    while not stop.is_set():
        try:
            if is_ours():
                await work()
        except (InsertFailure, StorageUnavailable) as error:
            _log.warning("upkeep_put_off", work=name, error=str(error))
        await pause(stop, interval_s)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, or return as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
