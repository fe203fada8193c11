"""Recounts the windows that late events and repetitions touched, so that they agree with the raw events again.

Stateless: what is to be done is read from ClickHouse each time (late events and repetitions without a recount, or with
a stream row on top of it), so a crash at any point only means doing it again, to the same effect. A window whose raw
events have aged out is left as it is, and that is noted down: counted again it would lose what is no longer there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import structlog

from runtime.clickhouse.kept import iso, read_kept
from runtime.telemetry.metrics import counter
from sinks.builders.inserts import ColumnarInsert
from sinks.consumer.commit_intents import read_standing
from sinks.consumer.log_book import LogBook
from sinks.insert.writer import Writer
from sinks.upkeep import pending
from sinks.upkeep.recount import TABLES, Target, repair_sql
from sinks.upkeep.repetitions import Repetitions
from sori import metrics
from sori.settings import Settings
from sori.topics import EVENTS

_CHUNK = 500
#: What one look costs is bounded: beyond so many pages of targets that wait, younger ones wait, too.
_PAGES = 20
_LEDGER = {
    "window_start": "DateTime('UTC')",
    "account_id": "String",
    "source_partition": "Int32",
    "version": "UInt64",
    "refused": "UInt8",
    "log": "UInt32",
    "found_to": "DateTime64(3, 'UTC')",
}
_log = structlog.get_logger(__name__)

T = TypeVar("T")


class Repairer:
    """Runs beside the sinks, in one process of the group."""

    def __init__(self, settings: Settings, writer: Writer, executor: Executor, book: LogBook) -> None:
        self._settings = settings
        self._writer = writer
        self._executor = executor
        self._book = book
        self._repetitions = Repetitions(writer, int(settings.streams.window_s))
        counter(metrics.SINKS_RECOUNTS_REFUSED).labels("window")  # there from the start: its first increase is an alert

    async def once(self) -> int:
        """Recount what is pending and can be recounted now; returns how many windows. Raises InsertFailure.

        Repetitions that arrived are found first, so that none of them is counted.
        """
        await self._call(self._repetitions.find)
        found_to = await self._call(lambda: self._writer.count("SELECT toUnixTimestamp64Milli(now64(3))"))
        lookback_s = int(self._settings.sinks.repair_lookback_s)
        wanted = await self._next(lookback_s)
        kept = await self._call(lambda: read_kept(self._writer.rows))
        targets = [t for t in wanted if t.window_start >= kept.countable]
        await self._refuse([t for t in wanted if t.window_start < kept.countable], kept.countable, found_to)
        for start in range(0, len(targets), _CHUNK):
            chunk = targets[start : start + _CHUNK]
            await self._call(lambda chunk=chunk: self._recount(chunk, found_to))  # type: ignore[misc]
        if targets:
            counter(metrics.SINKS_REPAIRED).inc(len(targets))
            _log.info("windows_recounted", windows=len(targets))
        return len(targets)

    async def _next(self, lookback_s: int) -> list[Target]:
        """The oldest that can be counted: those of a log that lags wait, and keep no younger ones from it."""
        for skip in range(0, _PAGES * pending.PAGE, pending.PAGE):
            found = await self._call(lambda skip=skip: self._writer.rows(pending.pending_sql(lookback_s, skip)))  # type: ignore[misc]
            wanted = await self._stored(Target(*row) for row in found)
            if wanted or len(found) < pending.PAGE:
                return wanted
        return []

    async def _stored(self, targets: Iterable[Target]) -> list[Target]:
        """Those whose raw events are certainly in ClickHouse: the events sink has committed past their version.

        Of a log that is gone, or that others read, those that have long been quiet.
        """
        wanted = list(targets)
        if not wanted:
            return []
        kafka = self._settings.kafka
        group = f"{self._settings.sinks.group}.{EVENTS.suffix}"
        topic = EVENTS.name(kafka.topic_prefix)
        ours = (await self._book.look_up(topic, group)).stored_as
        standing = await read_standing(kafka, group, topic, {t.source_partition for t in wanted if t.log == ours})
        return [
            t
            for t in wanted
            if (standing.offsets.get(t.source_partition, 0) >= t.version if t.log == ours else t.settled)
        ]

    def _recount(self, targets: Sequence[Target], found_to: int) -> None:
        by_length: dict[int, list[Target]] = {}
        for target in targets:
            by_length.setdefault(target.window_s or self._settings.streams.window_s, []).append(target)
        for window_s, of_length in by_length.items():
            for counted in TABLES:
                self._writer.execute(repair_sql(counted, of_length, window_s))
        self._note(targets, found_to, refused=False)

    async def _refuse(self, targets: Sequence[Target], countable_from: int, found_to: int) -> None:
        if targets:
            await self._call(lambda: self._note(targets, found_to, refused=True))
            counter(metrics.SINKS_RECOUNTS_REFUSED).labels("window").inc(len(targets))
            first = iso(min(t.window_start for t in targets))
            _log.warning("windows_not_recounted", windows=len(targets), first=first, countable_from=iso(countable_from))

    def _note(self, targets: Sequence[Target], found_to: int, *, refused: bool) -> None:
        columns: list[Sequence[object]] = [
            [t.window_start for t in targets],
            [t.account_id for t in targets],
            [t.source_partition for t in targets],
            [t.version for t in targets],
            [refused] * len(targets),
            [t.log for t in targets],
            [found_to] * len(targets),
        ]
        self._writer.insert(ColumnarInsert("window_repairs", list(_LEDGER), list(_LEDGER.values()), columns), None)

    async def _call(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, action)
