"""Group commit: whatever arrived while one group was being stored is the next group.

Two places to store: Kafka, or the spool when Kafka does not acknowledge. Once something is in the spool new events
queue behind it until the drain has caught up, so events leave in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

import structlog

from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from ingest.storage.interfaces import Log, Spool
from sori.errors import StorageUnavailable

#: Bounds of one group: a produce request of this size is acknowledged in milliseconds.
MAX_GROUP_RECORDS = 2_000
MAX_GROUP_BYTES = 4 * 1024 * 1024
_SWEEP_S = 0.05

_log = structlog.get_logger(__name__)


class _Entry:
    __slots__ = ("arrived", "outcome", "record")

    def __init__(self, record: Record, outcome: asyncio.Future[Outcome], arrived: float) -> None:
        self.record = record
        self.outcome = outcome
        self.arrived = arrived


class Committer:
    """Stores submitted records group by group; exactly one group is being stored at any time."""

    def __init__(
        self,
        log: Log,
        spool: Spool,
        *,
        ack_timeout_s: float,
        deadline_s: float,
        on_ack: Callable[[float], None] = lambda _seconds: None,
        on_spooled: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._log = log
        self._spool = spool
        self._ack_timeout_s = ack_timeout_s
        self._deadline_s = deadline_s
        self._on_ack = on_ack
        self._on_spooled = on_spooled
        self._queue: deque[_Entry] = deque()
        self._waiting: deque[_Entry] = deque()
        self._wake = asyncio.Event()
        self.lock = asyncio.Lock()
        self.spooling = asyncio.Event()
        self.spooling.set()  # until the drain has connected and found the spool empty
        self.went_direct = asyncio.Event()
        self._last_ack = monotonic()

    @property
    def direct(self) -> bool:
        """Whether new events go straight to Kafka."""
        return not self.spooling.is_set()

    @property
    def can_store(self) -> bool:
        """Readiness: an event that arrives now finds a place."""
        return self.direct or self._spool.has_room

    def oldest_wait_s(self) -> float:
        """Age of the oldest event that has no answer yet, seconds; 0 when there is none."""
        self._forget_answered()
        return monotonic() - self._waiting[0].arrived if self._waiting else 0.0

    def note_ack(self) -> None:
        """Kafka has acknowledged something, to the drain or to us."""
        self._last_ack = monotonic()

    def since_ack_s(self) -> float:
        """Seconds since Kafka last acknowledged; alarm on it only while something waits."""
        return monotonic() - self._last_ack

    def submit(self, record: Record) -> asyncio.Future[Outcome]:
        """Queue one record; the future gives ACCEPTED, SPOOLED, OVERLOADED or TIMEOUT, always within the deadline."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        entry = _Entry(record, outcome, monotonic())
        self._queue.append(entry)
        self._waiting.append(entry)
        self._wake.set()
        return outcome

    def go_direct(self) -> None:
        """Called by the drain, holding the lock, when the spool is empty and Kafka answers."""
        self.spooling.clear()
        self.went_direct.set()

    async def run(self) -> None:
        """Store groups until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_forever())
            tasks.create_task(self._sweep_forever())

    async def _commit_forever(self) -> None:
        while True:
            await self._wake.wait()
            async with self.lock:
                # taken under the lock: the drain may have held it while more arrived
                group = self._take()
                outcome = await self._store([entry.record for entry in group]) if group else Outcome.ACCEPTED
            for entry in group:
                if not entry.outcome.done():
                    entry.outcome.set_result(outcome)

    def _take(self) -> list[_Entry]:
        """The next group; entries answered by the deadline meanwhile are left out."""
        group: list[_Entry] = []
        room = MAX_GROUP_BYTES
        while self._queue and room > 0 and len(group) < MAX_GROUP_RECORDS:
            entry = self._queue.popleft()
            if not entry.outcome.done():
                group.append(entry)
                room -= entry.record.size
        if not self._queue:
            self._wake.clear()
        return group

    async def _store(self, records: list[Record]) -> Outcome:
        if self.direct:
            begun = monotonic()
            try:
                await self._log.write(records, self._ack_timeout_s)
            except StorageUnavailable as error:
                _log.warning("kafka_not_acknowledging", error=str(error), events=len(records))
                self.spooling.set()
            else:
                self.note_ack()
                self._on_ack(self._last_ack - begun)
                return Outcome.ACCEPTED
        begun = monotonic()
        try:
            await self._spool.append(records)
        except StorageUnavailable as error:
            _log.debug("nowhere_to_store", error=str(error), events=len(records))
            return Outcome.OVERLOADED
        self._on_spooled(monotonic() - begun)
        return Outcome.SPOOLED

    async def _sweep_forever(self) -> None:
        """One sweep for all deadlines: a timer per request costs 4 us of the 50 that one may take."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._forget_answered()
            overdue = monotonic() - self._deadline_s
            for entry in self._waiting:
                if entry.arrived > overdue:
                    break
                if not entry.outcome.done():
                    entry.outcome.set_result(Outcome.TIMEOUT)

    def _forget_answered(self) -> None:
        while self._waiting and self._waiting[0].outcome.done():
            self._waiting.popleft()
