"""Brings the spool's records to Kafka in order, and hands over to direct writes once it has caught up."""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog

from ingest.storage.group_commit import Committer
from ingest.storage.interfaces import Log, Spool
from ingest.storage.kafka_writer import RecordsRejected
from runtime.backoff import Backoff
from sori.errors import StorageUnavailable

_BATCH = 1_000
#: With this few records left new events are made to wait for the last of them, so that the spool does become empty.
_CUT_OVER_AT = 2_000
_CUT_OVER_S = 1.0
_BACKOFF_S = (0.2, 2.0)
_REPORT_EVERY_S = 30.0

_log = structlog.get_logger(__name__)


class Drain:
    """Owns the way back from the spool; the only writer to Kafka while the committer spools."""

    def __init__(self, log: Log, spool: Spool, committer: Committer, *, timeout_s: float) -> None:
        self._log = log
        self._spool = spool
        self._committer = committer
        self._timeout_s = timeout_s
        self._batch = _BATCH
        self._backoff = Backoff(*_BACKOFF_S)
        self._reported: float | None = None
        #: Set once the first attempt has succeeded or failed: from then on we know whether Kafka is there.
        self.tried = asyncio.Event()

    async def run(self) -> None:
        """Drain whenever there is something to drain, until cancelled."""
        while True:
            await self._committer.spooling.wait()
            try:
                await self.attempt()
            except StorageUnavailable as error:
                self._report(error)
                self.tried.set()
                await asyncio.sleep(self._backoff.next_s())
            else:
                self.tried.set()

    def _report(self, error: StorageUnavailable) -> None:
        now = monotonic()
        if self._reported is None or now - self._reported > _REPORT_EVERY_S:
            self._reported = now
            _log.warning("drain_waits_for_kafka", error=str(error), spooled=self._spool.pending)

    async def attempt(self) -> None:
        """One go from connecting to cutting over. Raises StorageUnavailable; what was drained stays drained."""
        if not self._log.connected:
            await self._log.connect()
        while self._spool.pending > _CUT_OVER_AT:
            await self._move()
        async with self._committer.lock:
            end = monotonic() + _CUT_OVER_S
            while self._spool.pending:
                if monotonic() > end:
                    return
                await self._move()
            self._committer.go_direct()
        if self._reported is not None:
            _log.info("drained")
        self._reported = None
        self._backoff.reset()

    async def _move(self) -> None:
        records = await self._spool.peek(self._batch)
        try:
            await self._log.write(records, self._timeout_s)
        except RecordsRejected as error:
            # halve until the one that the broker refuses stands alone
            if len(records) == 1:
                _log.error("record_parked", error=str(error), topic=records[0].topic, bytes=records[0].size)
                await self._spool.park()
            self._batch = max(1, self._batch // 2)
            await self._log.connect()
            return
        self._committer.note_ack()
        await self._spool.drop(len(records))
        self._batch = min(_BATCH, self._batch * 2)
