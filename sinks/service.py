"""`sori sinks`: every sink of the pipeline in one process, each with its own consumer, client and thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import structlog
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations, retention
from runtime.clickhouse.client import Dsn, open_client, parse_dsn
from runtime.telemetry.metrics import announce
from runtime.telemetry.tracing import open_tracing
from sinks.consumer.log_book import LogBook
from sinks.consumer.topic_sink import TopicSink
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.store import Store
from sinks.insert.tracing import TracedStore
from sinks.insert.writer import Writer
from sinks.specs import SinkSpec, sink_specs
from sinks.upkeep.late_repair import Repairer
from sinks.upkeep.periodic import pause, periodically
from sinks.upkeep.rollups import Roller
from sinks.upkeep.unknown_fields import UnknownFields
from sori.errors import SchemaError, StorageUnavailable
from sori.settings import Settings
from sori.settings.clickhouse import ClickHouseSettings
from sori.topics import LATE

_log = structlog.get_logger(__name__)


class SinkService:
    """Runs the sinks; `readiness` says which of them are in trouble."""

    def __init__(self, settings: Settings, specs: list[SinkSpec] | None = None) -> None:
        self._settings = settings
        self._specs = specs if specs is not None else sink_specs(settings.sinks)
        self._dsn = parse_dsn(settings.clickhouse_dsn)
        self._sinks: list[TopicSink] = []
        self._starting = "starting"
        self._tracing = open_tracing(settings.traces, "sinks")

    async def readiness(self) -> Mapping[str, str]:
        """Trouble by sink name; empty when all is well."""
        if self._starting:
            return {"sinks": self._starting}
        return {sink.group: sink.trouble for sink in self._sinks if sink.trouble}

    async def prepare(self, stop: asyncio.Event) -> None:
        """Wait for the server, and see to the schema: an embedded engine is migrated, a server must be up to date.

        Raises PathHeld or ConfigError at once: waiting would not help.
        """
        while not stop.is_set():
            try:
                await asyncio.to_thread(_see_to_schema, self._dsn, self._settings.clickhouse)
            except (StorageUnavailable, SchemaError) as error:
                if self._dsn.embedded:
                    raise
                self._starting = str(error)
                _log.error("sinks_cannot_start", error=str(error))
                await pause(stop, self._settings.sinks.backoff_max_s / 3)
            else:
                self._starting = ""
                return

    async def run(self, stop: asyncio.Event) -> None:
        """Prepare, then work until `stop` is set. Raises what ends a sink."""
        announce("sinks")
        await self.prepare(stop)
        if stop.is_set():
            return
        async with AsyncExitStack() as stack:
            book = self._open_book(stack)
            sinks = [self._open(spec, stack, book) for spec in self._specs]
            tasks = [asyncio.create_task(sink.run(stop), name=sink.name) for sink in sinks]
            tasks += self._care(stack, stop, book)
            _log.info("sinks_running", clickhouse=str(self._dsn), topics=[spec.name for spec in self._specs])
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _open_book(self, stack: AsyncExitStack) -> LogBook:
        writer = Writer(self._opener())
        stack.callback(writer.close)
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="logs"))
        return LogBook(self._settings.kafka, writer, executor)

    def _open(self, spec: SinkSpec, stack: AsyncExitStack, book: LogBook) -> TopicSink:
        writers = [Writer(self._opener()) for _ in range(spec.writers)]
        for writer in writers:
            stack.callback(writer.close)
        executor = stack.enter_context(ThreadPoolExecutor(len(writers), thread_name_prefix=f"sink-{spec.name}"))
        letters = DeadLetters(self._settings.kafka)
        stack.push_async_callback(letters.close)
        parts = (spec, writers, letters, self._settings.sinks, executor)
        store = Store(*parts) if self._tracing is None else TracedStore(*parts, tracing=self._tracing)
        # an embedded engine can have one process only: static membership spares it the wait for its dead predecessor
        instance = self._settings.sinks.instance_id or ("embedded" if self._dsn.embedded else None)
        sink = TopicSink(spec, store, book, self._settings, instance)
        self._sinks.append(sink)
        return sink

    def _care(self, stack: AsyncExitStack, stop: asyncio.Event, book: LogBook) -> list[asyncio.Task[None]]:
        """What one process of the group does beside carrying rows: the one with the late topic's first partition."""
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="care"))
        writer = Writer(self._opener())
        stack.callback(writer.close)
        late = [sink for sink in self._sinks if sink.name == LATE.suffix]
        settings = self._settings.sinks
        works: dict[str, tuple[Callable[[], Awaitable[int]], float]] = {
            "repair": (Repairer(self._settings, writer, executor, book).once, settings.repair_interval_s),
            "rollups": (Roller(writer, executor, settings.rollup_quiet_s).once, settings.rollup_interval_s),
            "fields": (
                UnknownFields(writer, executor, settings.fields_interval_s, settings.fields_sample).once,
                settings.fields_interval_s,
            ),
        }
        return [
            asyncio.create_task(
                periodically(name, once, interval_s, stop, lambda: any(sink.owns(0) for sink in late)), name=name
            )
            for name, (once, interval_s) in works.items()
        ]

    def _opener(self) -> Callable[[], Client]:
        dsn, timeout_s = self._dsn, self._settings.sinks.insert_timeout_s
        return lambda: open_client(dsn, send_receive_timeout=timeout_s)


def _see_to_schema(dsn: Dsn, retain: ClickHouseSettings) -> None:
    client = open_client(dsn)
    try:
        if dsn.embedded:
            migrations.apply(client)
            retention.apply(client, retain)
        else:
            migrations.require_current(client)
    finally:
        client.close()
