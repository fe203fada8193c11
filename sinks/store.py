"""Stores one batch for sure: tries until ClickHouse has every row that it accepts, and quarantine the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

import structlog

from runtime.backoff import Backoff
from runtime.metrics import counter, histogram
from sinks.atoms import Atom, atoms
from sinks.batch import Batch
from sinks.bisect import store_the_good
from sinks.deadletter import DeadLetters
from sinks.failures import InsertFailure, Rejected, SchemaDrift, Unavailable
from sinks.specs import SinkSpec
from sinks.writer import Writer
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings.sinks import SinksSettings

#: Waits so many seconds while keeping the consumer in its group, or raises to give the batch up.
Wait = Callable[[float], Awaitable[None]]

_log = structlog.get_logger()


class Store:
    """One sink's way to ClickHouse. Not for concurrent use."""

    def __init__(
        self, spec: SinkSpec, writer: Writer, letters: DeadLetters, settings: SinksSettings, executor: Executor
    ) -> None:
        self._spec = spec
        self._writer = writer
        self._letters = letters
        self._settings = settings
        self._executor = executor
        self.trouble: str = ""

    async def store(self, batch: Batch, wait: Wait) -> None:
        """Return when every row is in ClickHouse or in quarantine; what `wait` raises passes through.

        Every try sends the same rows under the same token, so a try that got through without our knowing counts once.
        """
        try:
            await self._insert(batch, wait)
        except Rejected as error:
            await self._store_apart(batch, error, wait)

    async def _insert(self, batch: Batch, wait: Wait) -> None:
        insert = self._spec.build(batch.records)
        token = batch.ranges.token
        await self._until_taken(lambda: self._writer.insert(insert, token), wait)
        metrics_of = self._spec.name
        counter(metrics.SINKS_ROWS).labels(metrics_of).inc(self._spec.count_rows(batch.records))

    async def _store_apart(self, batch: Batch, error: Rejected, wait: Wait) -> None:
        pieces = atoms(batch.records, packed=self._spec.packed)
        _log.warning(
            "insert rejected, looking for the culprits", sink=self._spec.name, rows=len(pieces), error=str(error)
        )

        async def store_slice(first: int, after: int) -> None:
            insert = self._spec.build(pieces[first:after])
            token = f"{batch.ranges.token}#{first}-{after}"
            await self._until_taken(lambda: self._writer.insert(insert, token), wait)

        culprits = [(pieces[i], why) for i, why in await store_the_good(len(pieces), store_slice)]
        await self._quarantine(batch.ranges.topic, culprits, wait)
        counter(metrics.SINKS_ROWS).labels(self._spec.name).inc(len(pieces) - len(culprits))
        counter(metrics.SINKS_REJECTED).labels(self._spec.name).inc(len(culprits))

    async def _quarantine(self, topic: str, culprits: list[tuple[Atom, Rejected]], wait: Wait) -> None:
        backoff = self._new_backoff()
        while True:
            try:
                await self._letters.send(topic, culprits)
            except StorageUnavailable as error:
                self._note(Unavailable(str(error)))
                await wait(backoff.next_s())
            else:
                self.trouble = ""
                return

    async def _until_taken(self, insert: Callable[[], None], wait: Wait) -> None:
        loop = asyncio.get_running_loop()
        backoff = self._new_backoff()
        while True:
            try:
                with histogram(metrics.SINKS_INSERT_SECONDS).labels(self._spec.name).time():
                    await loop.run_in_executor(self._executor, insert)
            except (Unavailable, SchemaDrift) as error:
                self._note(error)
                await wait(backoff.next_s())
            else:
                if self.trouble:
                    _log.info("clickhouse takes inserts again", sink=self._spec.name)
                self.trouble = ""
                return

    def _new_backoff(self) -> Backoff:
        return Backoff(self._settings.backoff_min_s, self._settings.backoff_max_s)

    def _note(self, error: InsertFailure) -> None:
        kind = "schema" if isinstance(error, SchemaDrift) else "unavailable"
        counter(metrics.SINKS_RETRIES).labels(self._spec.name, kind).inc()
        self.trouble = f"{kind}: {error}"
        hint = "run `sori schema apply`" if kind == "schema" else "paused, will retry"
        _log.error("insert failed", sink=self._spec.name, kind=kind, error=str(error), hint=hint)
