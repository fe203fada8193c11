"""Keeps snapshots of a worker's partitions: which is due, taken at flushes, stored beside the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import itemgetter

import structlog
from faust.types import TP

from sori.errors import SnapshotRefused, StorageUnavailable
from streams.state.checkpoint import Checkpoint
from streams.worker import metrics
from streams.worker.partition import Hop, StreamPartition
from streams.worker.saving import Saving
from streams.worker.snapshots import Snapshots

_log = structlog.get_logger(__name__)

#: How long partitions that go wait for their snapshots to be stored, seconds.
HAND_OVER_S = 3.0
#: Of one partition: what may wait in memory to be stored. Beyond, there are no more snapshots of it.
MAX_WAITING_BYTES = 64 * 1024 * 1024


class Keeper:
    """`partitions` are the worker's, `key` is the fingerprint of a topic's states, `stored` hears of new snapshots."""

    def __init__(
        self,
        snapshots: Snapshots,
        partitions: Callable[[], Mapping[TP, StreamPartition]],
        key: Callable[[str], str],
        stored: Callable[[TP, StreamPartition], None],
    ) -> None:
        self._snapshots = snapshots
        self._partitions = partitions
        self._key = key
        self._stored = stored

    def begin(self, held: StreamPartition) -> StreamPartition:
        """Keep snapshots of a partition that has applied nothing yet."""
        held.saving = self._snapshots.begin(held.operator)
        return held

    async def load(self, hop: Hop, tp: TP, checkpoint: Checkpoint) -> StreamPartition | None:
        """A partition that stands where the commit's snapshot did; None where that is not to be had."""
        operator = hop.make(tp.partition, checkpoint)
        try:
            saving = await self._snapshots.load(tp, checkpoint, self._key(tp.topic), operator)
        except (SnapshotRefused, StorageUnavailable) as error:
            metrics.snapshots.labels(tp.topic, "refused").inc()
            _log.warning("snapshot_refused", topic=tp.topic, partition=tp.partition, error=str(error))
            return None
        held = StreamPartition.made(hop, operator, checkpoint)
        held.saving = saving
        return held

    def flushed(self, tp: TP, held: StreamPartition) -> None:
        """Called right after a partition's flush, before anything else is applied: take a snapshot if one is wanted."""
        if held.saving is not None and held.saving.wanted:
            self._take(tp, held, held.saving)

    def _take(self, tp: TP, held: StreamPartition, saving: Saving) -> None:
        try:
            saving.take()
        except Exception as error:  # noqa: BLE001 - what cannot be encoded is no reason to stop counting
            self._give_up(tp, held, repr(error))

    async def save_next(self) -> None:
        """Take a snapshot of the partition that has waited longest, where one is due; in slices, like batches."""
        due = [(held.saving.due_s, tp, held) for tp, held in self._partitions().items() if held.saving is not None]
        due_s, tp, held = min(due, key=itemgetter(0), default=(0.0, None, None))
        now_s = time.monotonic()
        if tp is None or held is None or held.saving is None or due_s > now_s:
            return
        saving = held.saving
        saving.due_s = now_s + self._snapshots.interval_s
        if saving.writing.locked():
            return
        try:
            for _ in saving.steps():
                await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001 - likewise
            self._give_up(tp, held, repr(error))
            return
        # while it replays only the parts are stored: a snapshot stands at a flush
        if held.operator.replaying:
            await self._store(tp, held, saving)
        elif not held.rests():
            saving.wanted = True
        elif saving.stands_at != held.operator.next_offset:
            self._take(tp, held, saving)

    async def store_taken(self) -> None:
        """Store the snapshots that were taken; delete what is not needed since the last commit."""
        for tp, held in list(self._partitions().items()):
            saving = held.saving
            if saving is not None and (saving.taken is not None or saving.named is not None):
                await self._store(tp, held, saving)

    def want_all(self) -> None:
        """Partitions are about to go: the next flush takes a snapshot of each."""
        for held in self._partitions().values():
            if held.saving is not None:
                held.saving.wanted = not held.operator.replaying

    async def hand_over(self) -> None:
        """After that flush: store them, so that whoever takes over need not read the log; but not for long."""
        for tp, held in self._partitions().items():
            if held.saving is not None and held.saving.wanted and held.rests():
                self._take(tp, held, held.saving)
        storing = [
            asyncio.ensure_future(self._store(tp, held, held.saving))
            for tp, held in self._partitions().items()
            if held.saving is not None and held.saving.taken is not None
        ]
        if storing:
            await asyncio.wait(storing, timeout=HAND_OVER_S)

    async def _store(self, tp: TP, held: StreamPartition, saving: Saving) -> None:
        await self._snapshots.store(tp, saving, self._key(tp.topic))
        if sum(len(part.blob) for part in saving.parts) > MAX_WAITING_BYTES:
            self._give_up(tp, held, "too much waits to be stored")
        self._stored(tp, held)

    @staticmethod
    def _give_up(tp: TP, held: StreamPartition, reason: str) -> None:
        """No more snapshots of this partition until it is assigned anew: the log is read then."""
        held.saving = None
        held.operator.keep_no_changes()
        metrics.snapshots.labels(tp.topic, "failed").inc()
        _log.error("snapshots_given_up", topic=tp.topic, partition=tp.partition, error=reason)


def named(held: StreamPartition, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with the partition's newest snapshot, where that does not stand beyond it."""
    saving = held.saving
    if saving is None or saving.newest is None or saving.stands_at > checkpoint.offset:
        return checkpoint
    return replace(checkpoint, snapshot=saving.newest)
