"""Stores one batch for sure: tries until ClickHouse has every row that it accepts, and quarantines the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import structlog

from runtime.backoff import Backoff
from runtime.telemetry.metrics import counter, gauge, histogram
from sinks.batch import Batch
from sinks.builders.inserts import NdjsonInsert
from sinks.builders.packed import unname
from sinks.insert.bisect import store_the_good
from sinks.insert.breaker import Breaker, RefusesAll
from sinks.insert.dead_letters import DeadLetters
from sinks.insert.encoded_events import EncodedEvents
from sinks.insert.failures import InsertFailure, Rejected, SchemaDrift, TooMuchMemory, Unavailable
from sinks.insert.rows import Row, rows_of
from sinks.insert.slices import Slice, cut
from sinks.insert.writer import Writer
from sinks.specs import SinkSpec
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings.sinks import SinksSettings

#: Waits so many seconds while keeping the consumer in its group, or raises to give the batch up.
Wait = Callable[[float], Awaitable[None]]

#: What a failure is called in metrics and logs, and what is said of it.
_HINTS: dict[type[InsertFailure], tuple[str, str]] = {
    SchemaDrift: ("schema", "run `sori schema apply`"),
    TooMuchMemory: ("memory", "sent in halves; give ClickHouse more memory, or lower sinks.max_batch_rows"),
    Rejected: ("refused", "no row is accepted: stopped, nothing more goes to quarantine; mend the table"),
    Unavailable: ("unavailable", "paused, will retry"),
}

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Store:
    """One sink's way to ClickHouse: its topic sink stores one batch at a time, after committing the intent.

    At least once by itself; exactly once as seen by readers, since every try of a batch has the same rows and tokens,
    and whoever repeats one looks whether its rows are there. `trouble` says why a try fails, or is empty.
    """

    def __init__(
        self,
        spec: SinkSpec,
        writers: Sequence[Writer],
        letters: DeadLetters,
        settings: SinksSettings,
        executor: Executor,
    ) -> None:
        self._spec = spec
        self._writers = writers
        self._letters = letters
        self._settings = settings
        self._executor = executor
        self._breaker = Breaker(settings.max_refused_in_a_row)
        self.trouble: str = ""
        self.log = 0  # under which name rows of the topic's log are stored
        self.unnamed: frozenset[int] = frozenset()  # keys of logs whose rows have the name 0
        gauge(metrics.SINKS_STOPPED).labels(spec.name).set(0)
        counter(metrics.SINKS_REJECTED).labels(spec.name)  # there from the start: its first increase is an alert

    async def store(self, batch: Batch, wait: Wait, *, repeated: bool = False) -> None:
        """Return when every row is in ClickHouse or in quarantine; what `wait` raises passes through.

        Every try sends the same rows under the same token, so a try that got through without our knowing counts once.
        `repeated` says that somebody may have tried before us.
        """
        rows = self._spec.count_rows(batch.records)
        slices = cut(batch, len(self._writers))
        storing = (self._store_slice(part, wait, repeated=repeated) for part in slices)
        # each to its end: a thread cannot be called back
        outcomes = await asyncio.gather(*storing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            rows -= outcome
        counter(metrics.SINKS_ROWS).labels(self._spec.name).inc(rows)

    async def _store_slice(self, part: Slice, wait: Wait, *, repeated: bool) -> int:
        """Returns how many rows went to quarantine instead."""
        try:
            await self._insert(part, wait, repeated=repeated)
        except (Rejected, TooMuchMemory) as error:
            return await self._store_apart(part, error, wait)
        self._breaker.accepted()
        return 0

    async def _insert(self, part: Slice, wait: Wait, *, repeated: bool) -> None:
        writer, records, token = self._writers[part.number], part.records, part.token
        log = self.log
        insert = records.insert(log) if isinstance(records, EncodedEvents) else self._spec.build(records, log)
        if isinstance(insert, NdjsonInsert) and self.unnamed:
            insert = unname(insert, self.unnamed)
        presence = self._spec.presence

        def first_time() -> None:
            writer.insert(insert, token)

        def again() -> None:
            if presence is not None:
                # stored or not: a crash can leave rows in a table that its views, identities among them, never got
                writer.insert(insert, token)
                if writer.count(presence(records, log)) >= len(records):
                    return
                _log.warning("insert_token_known_rows_missing", sink=self._spec.name)
            writer.insert(insert, None)

        divisible = len(records) > 1 or (self._spec.packed and self._spec.count_rows(records) > 1)
        await self._until_taken(again if repeated else first_time, again, wait, divisible=divisible)

    async def _store_apart(self, part: Slice, error: InsertFailure, wait: Wait) -> int:
        """By halves, and halves of these; returns how many rows went to quarantine."""
        pieces = rows_of(part.records, packed=self._spec.packed)
        name, rows = self._spec.name, len(pieces)
        _log.warning("insert_split", sink=name, rows=rows, error=str(error))

        async def store_slice(first: int, after: int) -> None:
            piece = Slice(part.topic, part.number, pieces[first:after], f"{part.token}#{first}-{after}")
            await self._insert(piece, wait, repeated=True)

        found = await self._until_some_are_accepted(lambda: store_the_good(rows, store_slice, self._breaker), wait)
        culprits = [(pieces[i], why) for i, why in found]
        if culprits:
            await self._quarantine(part.topic, culprits, wait)
        counter(metrics.SINKS_REJECTED).labels(name).inc(len(culprits))
        return len(culprits)

    async def _until_some_are_accepted(self, store: Callable[[], Awaitable[T]], wait: Wait) -> T:
        backoff, stopped = self._new_backoff(), gauge(metrics.SINKS_STOPPED).labels(self._spec.name)
        try:
            while True:
                try:
                    return await store()
                except RefusesAll as error:
                    stopped.set(1)
                    self._note(error.last)
                    await wait(backoff.next_s())
        finally:
            stopped.set(0)  # also when the batch is given up: whoever takes it over says it then

    async def _quarantine(self, topic: str, culprits: list[tuple[Row, Rejected]], wait: Wait) -> None:
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

    async def _until_taken(
        self, first_time: Callable[[], None], again: Callable[[], None], wait: Wait, *, divisible: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        backoff = self._new_backoff()
        action = first_time
        while True:
            try:
                with histogram(metrics.SINKS_INSERT_SECONDS).labels(self._spec.name).time():
                    await loop.run_in_executor(self._executor, action)
            except (Unavailable, SchemaDrift, TooMuchMemory) as error:
                self._note(error)
                if isinstance(error, TooMuchMemory) and divisible:
                    raise
                action = again
                await wait(backoff.next_s())
            else:
                if self.trouble:
                    _log.info("clickhouse_available", sink=self._spec.name)
                self.trouble = ""
                return

    def _new_backoff(self) -> Backoff:
        return Backoff(self._settings.backoff_min_s, self._settings.backoff_max_s)

    def _note(self, error: InsertFailure) -> None:
        kind, hint = next(found for failure, found in _HINTS.items() if isinstance(error, failure))
        counter(metrics.SINKS_RETRIES).labels(self._spec.name, kind).inc()
        self.trouble = f"{kind}: {error}"
        _log.error("insert_failed", sink=self._spec.name, kind=kind, error=str(error), hint=hint)
