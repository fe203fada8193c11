"""The Faust transport `sori-batch://`: one message per fetched partition batch, exact positions in the commit.

Faust's own consumer makes a message of each record and commits what was acked. This one yields a whole batch as one
message, commits only flush points (offset, and in the metadata string what to re-read), and on assignment rewinds to
where that says. Registered through the entry point group `faust.transports`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

import structlog
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from runtime.kafka.clients import pace_metadata
from runtime.kafka.fetched import FetchedRecords, fetch_raw
from streams.kafka.batches import Batch, RecordList, Records
from streams.state.checkpoint import Checkpoint
from streams.state.fingerprint import Fingerprint

_log = structlog.get_logger(__name__)


class Checkpointer(Protocol):
    """What the transport needs of the application: `app.checkpointer`. Called in the worker's loop, or its thread.

    An assignment goes `suspend`, `committed`, `restore`; then batches flow and `flush_points` is asked at each commit;
    a revocation goes `before_revoke`, a commit, `suspend`.
    """

    @property
    def fetch_wait_ms(self) -> int:
        """How long the broker may hold back an empty fetch."""
        ...

    async def committed(self, tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
        """Read committed checkpoints from Kafka; partitions without one are absent. Raises StorageUnavailable."""
        ...

    def fingerprint(self, topic: str) -> Fingerprint:
        """What states of this topic's partitions are counted by, the log of the last `committed` included."""
        ...

    def restore(self, assigned: Mapping[TP, Checkpoint | None], epoch: int) -> Mapping[TP, int]:
        """Have an operator for each assigned partition, and for no other; return the offsets to seek.

        Batches of another epoch than this one were fetched before and must be ignored.
        """
        ...

    def flush_points(self) -> Mapping[TP, Checkpoint]:
        """Newest checkpoint of each partition whose outputs are all in Kafka, unless it is committed already."""
        ...

    def on_committed(self, points: Mapping[TP, Checkpoint]) -> None:
        """Called after these checkpoints were committed, so that `flush_points` does not give them again."""
        ...

    async def before_revoke(self) -> None:
        """Partitions are about to go: emit what is owed, so that nobody has to do it again."""
        ...

    def suspend(self) -> None:
        """Partitions are gone: no flush and no commit until `restore`."""
        ...


class _NoReadOffsets(dict[TP, int | None]):
    """Faust drops what lies before the last offset it read, which after a rewind is what we want; operators know."""

    def __getitem__(self, _tp: TP) -> int | None:
        return None

    def __setitem__(self, _tp: TP, _offset: int | None) -> None:
        """Called by Faust after each message; nothing is kept, so no message counts as read."""


class _Fetched(dict[Any, list[Any]]):
    """What one fetch brought, by partition, and the epoch of the seek that it came after."""

    epoch = 0


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """aiokafka in its own thread, committing checkpoints with their metadata."""

    _epoch = 0
    _committing: asyncio.Lock | None = None

    async def commits_done(self) -> None:
        """Wait for a commit that is on its way."""
        await self.call_thread(self._commits_done)

    async def _commits_done(self) -> None:
        async with self._commit_lock():
            pass

    def _commit_lock(self) -> asyncio.Lock:
        if self._committing is None:
            self._committing = asyncio.Lock()
        return self._committing

    async def rewind(self, positions: Mapping[TP, int], epoch: int) -> None:
        """Seek every partition; what a fetch returns from now on belongs to `epoch`."""
        await self.call_thread(self._rewind, positions, epoch)

    async def _rewind(self, positions: Mapping[TP, int], epoch: int) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in positions.items():
            consumer.seek(TopicPartition(tp.topic, tp.partition), offset)
        self._epoch = epoch

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> _Fetched:
        # Tagged here, in the thread that seeks: a fetch that began before a seek may bring what comes after it, and
        # dropping that for its old epoch would skip events (found by tests/e2e/test_streams_crash.py).
        fetch_raw(args[0])
        fetched = _Fetched(await super()._fetch_records(*args, **kwargs))
        fetched.epoch = self._epoch
        return fetched

    async def seek_again(self, tp: TP, offset: int) -> None:
        """Seek one partition within the epoch."""
        await self.call_thread(self._seek_again, tp, offset)

    async def _seek_again(self, tp: TP, offset: int) -> None:
        self._ensure_consumer().seek(TopicPartition(tp.topic, tp.partition), offset)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes 1.5 s: a quiet partition's long poll then delays its busy neighbours by as much.
        pace_metadata(consumer)
        consumer._fetch_max_wait_ms = _checkpointer(self.app).fetch_wait_ms  # noqa: SLF001 - no setting for it
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        async with self._commit_lock():
            return await self._commit_points(offsets)

    async def _commit_points(self, offsets: Mapping[TP, int]) -> bool:
        points = _checkpointer(self.app).flush_points()
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        payload = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(
                offset, points[tp].metadata(_checkpointer(self.app).fingerprint(tp.topic))
            )
            for tp, offset in offsets.items()
            if tp in assigned and tp in points and points[tp].offset == offset
        }
        if not payload:
            return False
        try:
            await consumer.commit(payload)
            _checkpointer(self.app).on_committed({TP(tp.topic, tp.partition): points[TP(*tp)] for tp in payload})
        except CommitFailedError:
            return False  # rebalanced meanwhile: the next owner starts from the commit before
        except Exception as error:  # noqa: BLE001 - whatever it is, exactness needs a restart
            await self.crash(error)
            return False
        return True


class BatchConsumer(driver.Consumer):
    """Yields batches; its committable offsets are the application's flush points."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._epoch = 0
        self._yielded: dict[TP, int] = {}
        self._expected: dict[TP, int] = {}
        self._doubted: dict[TP, tuple[int, int]] = {}
        super().__init__(*args, **kwargs)
        self._read_offset = _NoReadOffsets()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Fetch; yield one message per partition. What a seek overtook is dropped: it will be read again."""
        fetched, _ = await self._wait_next_records(timeout)
        epoch = getattr(fetched, "epoch", self._epoch)
        for tp, records in (fetched or {}).items():
            # A fetch from before a rebalance may bring what comes after the seek while the flow still stands still.
            if not self.flow_active:
                await self.wait(self.can_resume_flow)  # type: ignore[arg-type] # Faust does the same
            if self.should_stop or epoch != self._epoch:
                return
            faust_tp = TP(tp.topic, tp.partition)
            for found in _as_batches(records):
                if not await self._skipped(faust_tp, found.first_offset):
                    yield faust_tp, self._to_batch(faust_tp, found, epoch)

    async def _skipped(self, tp: TP, first: int) -> bool:
        """Whether records were passed over before `first`, and will be read now.

        Faust cancels a fetch when it stops its fetcher for a rebalance; the one in the thread goes on, moves the
        position, perhaps after our seek, and what it brought is nobody's. So a batch must begin where the one before
        ended. Where the same gap shows again, the log has it: retention, for instance.
        """
        expected = self._expected.get(tp)
        if expected is None or first <= expected or self._doubted.get(tp) == (expected, first):
            return False
        self._doubted[tp] = (expected, first)
        _log.info("abandoned_fetch_read_again", tp=str(tp), wanted=expected, got=first)
        await self._thread.seek_again(tp, expected)
        return True

    def _to_batch(self, tp: TP, records: Records, epoch: int) -> ConsumerMessage:
        batch = Batch(tp, records, epoch, self._yielded.get(tp))
        self._yielded[tp] = records.last_offset
        self._expected[tp] = records.last_offset + 1
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            records.last_offset,
            0.0,  # its time, which Faust takes for its own statistics only
            0,
            None,
            None,
            cast("bytes", batch),  # a batch travels as the value; BatchSchema hands it on
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Read the committed checkpoints, rebuild the operators, and rewind to what they need."""
        checkpointer = _checkpointer(self.app)
        # What is read below must still be committed when the operators stand on it.
        checkpointer.suspend()
        await self._thread.commits_done()
        assigned = self.assignment()
        committed = await checkpointer.committed(assigned)
        fresh = [tp for tp in assigned if tp not in committed]
        beginnings = await self.earliest_offsets(*fresh) if fresh else {}
        self._epoch += 1
        self._yielded.clear()
        positions = checkpointer.restore({tp: committed.get(tp) for tp in assigned}, self._epoch)
        # Every partition is sought, also where nothing is committed: a fetch may have moved its position already.
        self._expected = {**{TP(tp[0], tp[1]): at for tp, at in beginnings.items()}, **positions}
        await self._thread.rewind(self._expected, self._epoch)
        self._committed_offset.update({tp: committed[tp].offset if tp in committed else None for tp in assigned})

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Emit and commit what is owed while the partitions are still ours."""
        await _checkpointer(self.app).before_revoke()
        await self.commit()
        _checkpointer(self.app).suspend()
        await super().on_partitions_revoked(revoked)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        points = _checkpointer(self.app).flush_points()
        return (tp for tp in points if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        # Acks say that an agent has seen a batch, not that what it owes is in Kafka: only a flush point says that.
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        point = _checkpointer(self.app).flush_points().get(tp)
        return None if point is None else point.offset

    def _should_commit(self, tp: TP, offset: int) -> bool:  # noqa: ARG002 - as Faust calls it
        # Also at the offset of the commit before: a tick changes what is to be re-read.
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch stands for all offsets before its last, so gaps mean nothing here."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return cast("bool", await asyncio.shield(self._thread.commit(offsets)))


class BatchProducer(driver.Producer):
    """Idempotent, acknowledged by all in-sync replicas."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class Transport(driver.Transport):
    """`sori-batch://host:port`."""

    Consumer = BatchConsumer
    Producer = BatchProducer


def _as_batches(fetched: list[Any]) -> Iterable[Records]:
    """What aiokafka parsed by itself, such as records of an old format, is one batch; else each is one."""
    if fetched and not isinstance(fetched[0], FetchedRecords):
        return [RecordList(fetched)]
    return fetched


def _checkpointer(app: Any) -> Checkpointer:
    return cast("Checkpointer", app.checkpointer)
