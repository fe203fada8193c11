"""The bridge between Faust and the operators: batches in, flushes out, checkpoints in between.

Delivery guarantee: a checkpoint becomes committable only after Kafka acknowledged every output before it, so outputs
are at least once; they are idempotent upserts, so their effect is exactly once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Protocol

import structlog
from faust.types import TP

from sori.errors import SnapshotRefused
from streams.alerts.allowances import VerdictHistory
from streams.alerts.published import Reconciliation
from streams.kafka.batches import Batch
from streams.state.checkpoint import Checkpoint
from streams.state.fingerprint import Fingerprint
from streams.state.output import Output, name_log
from streams.worker import metrics
from streams.worker.full_state import FullState
from streams.worker.keeper import Keeper, named
from streams.worker.partition import Hop, StreamPartition
from streams.worker.snapshots import Snapshots

_log = structlog.get_logger(__name__)


#: How long records are applied before the event loop runs again, seconds.
SLICE_S = 0.02


class LostBatch(Exception):
    """A batch did not follow the one before: going on would lose events silently."""


#: Produces all outputs and returns when Kafka has acknowledged them; raises StorageUnavailable.
Send = Callable[[list[Output]], Awaitable[None]]
#: Reads committed checkpoints.
ReadCommitted = Callable[[Iterable[TP]], Awaitable[Mapping[TP, Checkpoint]]]


class Logs(Protocol):
    """Which logs the topics are."""

    def key(self, topic: str) -> int:
        """Of the log behind a topic; 0: unknown."""
        ...

    def name(self, fingerprint: Fingerprint, topic: str) -> Fingerprint:
        """The fingerprint with the topic's log in it."""
        ...

    def reconciliation(self, tp: TP, hop: str) -> Reconciliation | None:
        """What is published of a partition's alerts, where the last `committed` found its commit in doubt."""
        ...


class _Unnamed:
    def key(self, topic: str) -> int:  # noqa: ARG002 - as Logs
        return 0

    def name(self, fingerprint: Fingerprint, topic: str) -> Fingerprint:  # noqa: ARG002 - as Logs
        return fingerprint

    def reconciliation(self, tp: TP, hop: str) -> Reconciliation | None:  # noqa: ARG002 - as Logs
        return None


class StreamWorker:
    """All assigned partitions of this process. Implements transport.Checkpointer."""

    def __init__(
        self,
        hops: Iterable[Hop],
        send: Send,
        read_committed: ReadCommitted,
        *,
        fetch_wait_ms: int,
        idle_after_s: float = 60.0,
        logs: Logs | None = None,
        snapshots: Snapshots | None = None,
        verdicts: VerdictHistory | None = None,
    ) -> None:
        self.fetch_wait_ms = fetch_wait_ms
        self._idle_after_s = idle_after_s
        self.owes_alert = asyncio.Event()
        #: Cleared while outputs wait for Kafka: nothing is applied then, so that no more of them pile up.
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.oldest_unflushed: float | None = None
        #: What the last flush took of the event loop, seconds: making rows, not waiting for Kafka.
        self.flush_took_s = 0.0
        self._hops = {hop.topic: hop for hop in hops}
        self._send = send
        self._read_committed = read_committed
        self._logs: Logs = logs or _Unnamed()
        self._verdicts = VerdictHistory() if verdicts is None else verdicts
        self.keeper = None
        if snapshots is not None:
            self.keeper = Keeper(
                snapshots, lambda: self._partitions, lambda topic: self.fingerprint(topic).key, self._stored
            )
        self._loaded: dict[TP, StreamPartition] = {}
        self._partitions: dict[TP, StreamPartition] = {}
        self._points: dict[TP, Checkpoint] = {}
        self._committed: dict[TP, Checkpoint] = {}
        self._full = FullState()
        self._suspended = False
        self._epoch = 0
        self._flushing = asyncio.Lock()

    async def committed(self, tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
        """Committed checkpoints from Kafka; where one names a snapshot, that is loaded, for `restore`."""
        found = await self._read_committed(tps)
        # what was loaded when another rebalance began is good still where nobody has committed since
        self._loaded = {tp: held for tp, held in self._loaded.items() if _usable(held, found.get(tp))}
        if self.keeper is not None:
            with_snapshot = [
                (self._hops[tp.topic], tp, checkpoint)
                for tp, checkpoint in found.items()
                if checkpoint.snapshot is not None and not self._kept(tp, checkpoint) and tp not in self._loaded
            ]
            await self.keeper.load_all(with_snapshot, self._loaded)
        for tp, held in self._loaded.items():
            held.reconciliation = self._logs.reconciliation(tp, held.hop.name)
        return found

    def _kept(self, tp: TP, checkpoint: Checkpoint | None) -> StreamPartition | None:
        """What we have of a partition, where it stands at this commit or is on the way to it."""
        held = self._partitions.get(tp)
        return held if held is not None and _usable(held, checkpoint) else None

    def fingerprint(self, topic: str) -> Fingerprint:
        """What states of this topic's partitions are counted by."""
        return self._logs.name(self._hops[topic].fingerprint, topic)

    def restore(self, assigned: Mapping[TP, Checkpoint | None], epoch: int) -> Mapping[TP, int]:
        """Keep operators that stand at their committed offset, or are on the way; the others stand where a loaded
        snapshot does, or are rebuilt from their `low`.
        """
        self._epoch = epoch
        self._suspended = False
        self._committed = {tp: checkpoint for tp, checkpoint in assigned.items() if checkpoint is not None}
        usable = {tp: self._kept(tp, checkpoint) for tp, checkpoint in assigned.items()}
        before, self._partitions = self._partitions, {}
        positions: dict[TP, int] = {}
        for tp, checkpoint in assigned.items():
            kept = usable.get(tp) or self._loaded.get(tp)
            if kept and checkpoint:
                kept.last_offset = kept.silence = None
                self._partitions[tp] = kept
                positions[tp] = kept.operator.next_offset
                continue
            self._partitions[tp] = self._new_partition(tp, checkpoint)
            if checkpoint is not None:
                positions[tp] = checkpoint.replay_start.low
        self._points = {tp: point for tp, point in self._points.items() if tp in self._partitions}
        self.oldest_unflushed = None
        _log.info(
            "assigned",
            partitions=len(assigned),
            kept=sum(held is before.get(tp) for tp, held in self._partitions.items()),
            rewind={
                f"{tp.topic}/{tp.partition}": f"{checkpoint.replay_start.low}..{checkpoint.offset}"
                for tp, checkpoint in assigned.items()
                if checkpoint
                and checkpoint.replay_start.low < checkpoint.offset
                and self._partitions[tp] not in (before.get(tp), self._loaded.get(tp))
            },
            loaded=len(self._loaded),
        )
        self._loaded = {}
        return positions

    def _new_partition(self, tp: TP, checkpoint: Checkpoint | None) -> StreamPartition:
        hop = self._hops[tp.topic]
        self._points.pop(tp, None)
        made = StreamPartition.made(hop, hop.make(tp.partition, checkpoint), checkpoint)
        made.reconciliation = self._logs.reconciliation(tp, hop.name)
        return made if self.keeper is None else self.keeper.begin(made)

    def flush_points(self) -> Mapping[TP, Checkpoint]:
        """Checkpoints to commit: newest of each partition whose outputs are all in Kafka, unless it is committed."""
        return {tp: point for tp, point in self._points.items() if not _same(self._committed.get(tp), point)}

    def on_committed(self, points: Mapping[TP, Checkpoint]) -> None:
        """Called by the transport after a commit: these checkpoints need no other."""
        for tp, point in points.items():
            held, before = self._partitions.get(tp), self._committed.get(tp)
            if held is not None and held.saving is not None and (before is None or before.snapshot != point.snapshot):
                held.saving.named = point.snapshot
        self._committed.update(points)

    def on_batch(self, batch: Batch) -> None:
        """Apply a batch at once. Raises LostBatch where one is missing before it."""
        for _ in self.slices(batch):
            pass

    def slices(self, batch: Batch) -> Iterator[None]:
        """Apply a batch and yield now and then, so that whoever asks can let the event loop run: flushes, heartbeats,
        probes. What is left after a rebalance in between is dropped: it will be read again. Raises LostBatch.
        """
        held = self._partitions.get(batch.tp)
        if held is None or batch.epoch != self._epoch:
            return  # fetched before a rebalance; it will be read again
        if batch.follows != held.last_offset:
            raise LostBatch(f"{batch.tp}: batch after {batch.follows}, expected after {held.last_offset}")
        operator = held.operator
        if held.last_offset is None and batch.records.first_offset > operator.next_offset > 0:
            metrics.holes.inc()
            _log.warning("hole_in_log", tp=str(batch.tp), wanted=operator.next_offset, got=batch.records.first_offset)
        held.last_offset = batch.records.last_offset
        held.silence = None
        replaying = operator.replaying
        applied, began, records = 0, time.monotonic(), iter(batch.records)
        slices = metrics.apply_seconds.labels(held.hop.name)
        for first in records:
            # the same number each time and none of it held back: a flush may come after any record
            applied += operator.apply(chain((first,), islice(records, held.hop.at_once - 1)))
            if self.oldest_unflushed is None and operator.next_offset > held.flushed:
                self.oldest_unflushed = time.monotonic()
            if operator.episodes.owes():
                self.owes_alert.set()
            took = time.monotonic() - began
            if took > SLICE_S:
                slices.observe(took)
                yield
                if self._partitions.get(batch.tp) is not held or batch.epoch != self._epoch:
                    return
                began = time.monotonic()
        slices.observe(time.monotonic() - began)
        metrics.batch_rows.labels(held.hop.name).observe(applied)
        if replaying and not operator.replaying:
            self._log_replayed(batch.tp, held)

    def _log_replayed(self, tp: TP, held: StreamPartition) -> None:
        _log.info(
            "replayed",
            topic=tp.topic,
            partition=tp.partition,
            low=held.replay_from,
            to=held.flushed,
            seconds=round(time.monotonic() - held.replay_began, 3),
        )

    async def flush(self) -> bool:
        """Emit what every partition owes, wait for Kafka's acknowledgement, and advance the flush points.

        Called by the flush timer, as soon as an alert is owed, and before partitions go; calls wait for each other.
        Returns whether there is something to commit; what a rebalance took meanwhile is not. Raises StorageUnavailable
        when Kafka does not acknowledge in time: then nothing became committable, the operators have let go of what they
        owed, and the process must end, so that it is computed again from the last commit.
        """
        async with self._flushing:
            if self._suspended:
                return False
            began, clock = self.oldest_unflushed, time.monotonic()
            self.owes_alert.clear()
            taken: list[tuple[TP, StreamPartition, Checkpoint]] = []
            outputs: list[Output] = []
            for tp, held in self._partitions.items():
                self._full.note(tp, metrics.observe_operator(held.hop.name, held.operator))
                if not held.may_flush(self._committed.get(tp), self._verdicts.newest):
                    continue
                owed, checkpoint = held.flush()
                if self.keeper is not None:
                    self.keeper.flushed(tp, held)
                checkpoint = named(held, held.take_up(self._verdicts.newest) or checkpoint)
                outputs += name_log(owed, self._logs.key(tp.topic))
                taken.append((tp, held, checkpoint))
            self.flush_took_s = time.monotonic() - clock
            if not taken:
                return False
            if self.oldest_unflushed == began:
                self.oldest_unflushed = None  # what comes in while we wait for Kafka sets it again
            try:
                await self._send(outputs)
            finally:
                self.flowing.set()
            metrics.observe_outputs(outputs)
            metrics.flush_seconds.labels("all").observe(time.monotonic() - clock)
            for tp, held, checkpoint in taken:
                if self._partitions.get(tp) is held and not self._suspended:
                    held.flushed_to(checkpoint)
                    if held.reconciliation is None:
                        self._points[tp] = checkpoint
            return True

    def note_outage(self, seconds: float) -> None:
        """Kafka has not answered for so long. That is waited for: it is no stall of ours, which a restart would end."""
        if self.flowing.is_set():
            _log.warning("outputs_wait", seconds=round(seconds, 1))
        self.flowing.clear()
        self.oldest_unflushed = time.monotonic()

    async def tick(self, end_offset: Callable[[TP], int | None]) -> bool:
        """Move time on where a partition is silent and holds what waits for time; return whether to commit.

        What a tick causes is emitted by the next flush after that commit.
        """
        now_s, wall_ms, advanced = time.monotonic(), int(time.time() * 1000), False
        async with self._flushing:
            for tp, held in self._partitions.items():
                pending_advance = (
                    None if self._suspended else held.tick(end_offset(tp) or 0, self._idle_after_s, now_s, wall_ms)
                )
                if pending_advance is not None:
                    self._points[tp] = named(held, pending_advance)
                    metrics.ticks.labels(held.hop.name).inc()
                    advanced = True
        return advanced

    async def before_revoke(self) -> None:
        """Flush, so that the next owner finds the commit where we stand; a snapshot too, if it can be had soon."""
        if self.keeper is not None:
            self.keeper.want_all()
        await self.flush()
        if self.keeper is not None and not self._suspended:
            await self.keeper.hand_over()

    def put_back_next(self) -> bool:
        """A piece of one partition's state that was left for later when it was loaded; whether there was any.

        Raises SnapshotRefused, as do batches and flushes that look into a piece that is of no use: then the process
        must end, after a commit of what `disowned` says.
        """
        return any(held.operator.put_back_next() for held in self._partitions.values())

    def disowned(self) -> dict[TP, SnapshotRefused]:
        """Partitions whose snapshot turned out to be of no use; their flush points name it no more from now on, so that
        whoever has them next reads the log.
        """
        refused = {tp: error for tp, held in self._partitions.items() if (error := held.operator.refused) is not None}
        for tp in refused:
            self._partitions[tp].saving = None
            point = self._points.get(tp) or self._committed.get(tp)
            if point is not None and not self._suspended:
                self._points[tp] = replace(point, snapshot=None)
        return refused

    def _stored(self, tp: TP, held: StreamPartition) -> None:
        """A snapshot is stored: name it in the flush point that there is."""
        point = self._points.get(tp)
        if point is not None and self._partitions.get(tp) is held:
            self._points[tp] = named(held, point)

    def rewinds(self) -> dict[TP, int]:
        """By partition: how many records before the commit a restart without a snapshot reads again."""
        committed = self._committed.items()
        return {tp: point.offset - point.replay_start.low for tp, point in committed if tp in self._partitions}

    def replaying(self) -> dict[TP, tuple[int, int]]:
        """Of partitions whose state does not stand at the commit yet: records to read again, and of how many."""
        return {
            tp: (held.replay_left, held.flushed - held.replay_from)
            for tp, held in self._partitions.items()
            if held.operator.replaying
        }

    def suspend(self) -> None:
        """Partitions are being reassigned: what was flushed and not committed must not be committed any more.

        Between here and `restore` the group may have made us a member again, with a generation that Kafka takes
        commits from; a commit from before would then overwrite that of whoever had the partition meanwhile.
        """
        self._suspended = True
        self._points = {}

    def live_panes(self) -> dict[str, int]:
        """Live panes per hop."""
        totals = dict.fromkeys((hop.name for hop in self._hops.values()), 0)
        for held in self._partitions.values():
            totals[held.hop.name] += held.operator.live_panes
        return totals

    def positions(self) -> dict[TP, int]:
        """Next offset of each assigned partition."""
        return {tp: held.operator.next_offset for tp, held in self._partitions.items()}


def _usable(held: StreamPartition, checkpoint: Checkpoint | None) -> bool:
    return checkpoint is not None and (held.stands_at(checkpoint) or held.replays_to(checkpoint))


def _same(committed: Checkpoint | None, point: Checkpoint) -> bool:
    """Whether a commit says all that the point would."""
    return committed is not None and committed == point and committed.snapshot == point.snapshot
