"""Keeps snapshots of a worker's partitions: which is due, taken at flushes, stored beside the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from operator import itemgetter

import structlog
from faust.types import TP

from sori.errors import SnapshotRefused, StorageUnavailable
from streams.state.checkpoint import Checkpoint
from streams.worker import metrics
from streams.worker.loading import Loading
from streams.worker.partition import Hop, StreamPartition
from streams.worker.saving import Saving
from streams.worker.snapshots import Snapshots

_log = structlog.get_logger(__name__)

#: How long partitions that go wait for their snapshots to be stored, seconds.
HAND_OVER_S = 3.0
#: Each holds what was fetched of it, up to some megabytes.
_LOADED_AT_ONCE = 4
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
        #: Loaded beforehand, of partitions that another worker has still.
        self.warm: dict[TP, Loading] = {}

    def begin(self, held: StreamPartition) -> StreamPartition:
        """Keep snapshots of a partition that has applied nothing yet."""
        held.saving = self._snapshots.begin(held.operator)
        return held

    async def load_all(
        self, wanted: Iterable[tuple[Hop, TP, Checkpoint]], found: MutableMapping[TP, StreamPartition]
    ) -> None:
        """Add those whose snapshots are to be had, several at once: one is read while another one is put back."""
        at_once = asyncio.Semaphore(_LOADED_AT_ONCE)

        async def load(hop: Hop, tp: TP, checkpoint: Checkpoint) -> None:
            async with at_once:
                held = await self.load(hop, tp, checkpoint)
            if held is not None:
                found[tp] = held

        await asyncio.gather(*(load(*one) for one in wanted))
        self.warm.clear()

    async def load(self, hop: Hop, tp: TP, checkpoint: Checkpoint) -> StreamPartition | None:
        """A partition that stands where the commit's snapshot did; None where that is not to be had."""
        warm = self.warm.pop(tp, None)
        if warm is not None:
            try:
                return await self._load(hop, tp, checkpoint, warm)
            except (SnapshotRefused, StorageUnavailable) as error:
                _log.info("standby_state_dropped", topic=tp.topic, partition=tp.partition, error=str(error))
        try:
            return await self._load(hop, tp, checkpoint, self._nothing_loaded(hop, tp))
        except (SnapshotRefused, StorageUnavailable) as error:
            metrics.snapshots.labels(tp.topic, "refused").inc()
            _log.warning("snapshot_refused", topic=tp.topic, partition=tp.partition, error=str(error))
            return None

    async def _load(self, hop: Hop, tp: TP, checkpoint: Checkpoint, loading: Loading) -> StreamPartition:
        saving = await self._snapshots.load(tp, checkpoint, self._key(tp.topic), loading)
        held = StreamPartition.made(hop, saving.operator, checkpoint)
        held.saving = saving
        return held

    def _nothing_loaded(self, hop: Hop, tp: TP) -> Loading:
        return Loading(self._snapshots.begin(hop.make(tp.partition, None)))

    async def follow(self, hop: Hop, tp: TP, checkpoint: Checkpoint) -> bool:
        """Load the commit's snapshot beforehand, on top of the ones before it; return whether that is done.

        What cannot be followed is begun anew, by the next call. Raises StorageUnavailable.
        """
        named = checkpoint.snapshot
        if named is None:
            return False
        loading = self.warm.pop(tp, None) or self._nothing_loaded(hop, tp)
        if loading.at != named:
            try:
                await self._snapshots.follow(tp, named, self._key(tp.topic), loading)
            except SnapshotRefused as error:
                _log.info("standby_state_dropped", topic=tp.topic, partition=tp.partition, error=str(error))
                return False
        self.warm[tp] = loading
        return True

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
