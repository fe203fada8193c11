"""What the API knows from Kafka: alerts as they come, subscriptions, where their deliveries stand, tokens.

It connects in the background and keeps trying: without Kafka the questions to ClickHouse are still answered.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import structlog
from aiohttp import web

from api.kafka.feed import AlertFeed
from runtime.kafka.alert_log import AlertLog
from runtime.kafka.compacted_table import CompactedTable
from sori.alerting.verdict_index import VerdictIndex
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.topics import API_TOKENS, DELIVERY_STATE, SUBSCRIPTIONS, VERDICTS

_RETRY_S = 2.0
_log = structlog.get_logger(__name__)


class KafkaSide:
    """Four tables and a feed. Each is there once connected; before that, asking for it raises StorageUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = False
        self._trouble = "not connected to Kafka yet"
        self._make()

    def require(self) -> None:
        """Raises StorageUnavailable unless everything is there."""
        if not self._ready:
            raise StorageUnavailable(f"alerts and subscriptions are not available: {self._trouble}")

    async def run(self) -> None:
        """Connect, again and again until it works, then stay connected until cancelled."""
        while True:
            try:
                async with AsyncExitStack() as stack:
                    for table in (self.tokens, self.subscriptions, self.states, self.verdicts):
                        await stack.enter_async_context(table.running())
                    await stack.enter_async_context(self.log.running())
                    self.feed.begin(self.log)
                    self._ready = True
                    _log.info("kafka_connected")
                    await asyncio.Event().wait()
            except StorageUnavailable as error:
                self._trouble = str(error)
                _log.debug("kafka_unreachable", error=str(error))
                self._make()
                await asyncio.sleep(_RETRY_S)
            finally:
                self._ready = False

    def _make(self) -> None:
        kafka = self._settings.kafka
        self.tokens = CompactedTable(kafka, API_TOKENS)
        self.subscriptions = CompactedTable(kafka, SUBSCRIPTIONS)
        self.states = CompactedTable(kafka, DELIVERY_STATE)
        self.verdicts, self.verdict_index = CompactedTable(kafka, VERDICTS), VerdictIndex()
        self.verdicts.listen(self.verdict_index.take)
        self.log = AlertLog(kafka)
        self.feed = AlertFeed(self._settings.access.stream_keep)


def add_kafka_side(app: web.Application, side: KafkaSide) -> None:
    """Run it as long as the application."""

    tasks: list[asyncio.Task[None]] = []

    async def begin(_app: web.Application) -> None:
        tasks.append(asyncio.create_task(side.run(), name="kafka-side"))

    async def close_streams(_app: web.Application) -> None:
        side.feed.close()

    async def end(_app: web.Application) -> None:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app.on_startup.append(begin)
    app.on_shutdown.append(close_streams)
    app.on_cleanup.append(end)
