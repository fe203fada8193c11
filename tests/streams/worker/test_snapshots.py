"""Snapshots of a worker's partitions: named by commits, loaded instead of the log, and never needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple

import msgspec
import pytest
from faust.types import TP

from sori.errors import SnapshotRefused, StorageUnavailable
from sori.settings.rules import RulesSettings
from streams.kafka.batches import Batch, RecordList
from streams.operators.device import DeviceOperator
from streams.snapshots import device_loader
from streams.snapshots.parts import Manifest
from streams.state.checkpoint import Checkpoint
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker.partition import Hop, replay_progress
from streams.worker.snapshots import Snapshots
from streams.worker.worker import StreamWorker
from testkit.forged_snapshots import unreadable
from testkit.records import event_record

TOPIC = TP("events", 0)
POLICY = TimePolicy(10_000, 60_000, 600_000, 10**12)


class Stored(NamedTuple):
    """As kafka.state_topic has it."""

    at: int
    key: bytes
    value: bytes | None


class Memory:
    """A state topic of one partition, in memory; tests/streams/kafka/test_state_topic.py runs the real one."""

    def __init__(self) -> None:
        self.records: list[Stored] = []
        self.read_positions: list[list[int]] = []
        self.down = False

    async def partition_for(self, _number: int) -> int:
        """The only one."""
        return 0

    async def append(self, _partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> list[int]:
        """As Kafka does."""
        await asyncio.sleep(0)
        if self.down:
            raise StorageUnavailable("down")
        first = len(self.records)
        self.records += [Stored(first + number, *record) for number, record in enumerate(records)]
        return list(range(first, len(self.records)))

    async def read(self, _partition: int, positions: Collection[int]) -> AsyncIterator[Stored]:
        """All that is not compacted away."""
        self.read_positions.append(sorted(positions))
        if self.down:
            raise StorageUnavailable("down")
        if max(positions) >= len(self.records):
            raise SnapshotRefused("beyond the end")
        for record in self.records[min(positions) : max(positions) + 1]:
            if record in self.kept():
                yield record

    def kept(self) -> list[Stored]:
        """What compaction leaves: the newest of each key."""
        newest = {record.key: record for record in self.records}
        return [record for record in newest.values() if record.value is not None]


class Group:
    """One consumer group: what it committed, and workers that take the partition over."""

    def __init__(self, memory: Memory | None) -> None:
        self.memory = memory
        self.committed: dict[TP, Checkpoint] = {}
        self.epoch = 0

    async def worker(self) -> StreamWorker:
        """A new worker that was assigned the partition."""
        worker = await self.unassigned()
        await self.assign(worker)
        return worker

    async def unassigned(self) -> StreamWorker:
        """A new worker."""

        async def committed(_tps: object) -> dict[TP, Checkpoint]:
            return dict(self.committed)

        async def send(_outputs: list[Output]) -> None:
            """Acknowledged."""

        hop = Hop("device", "events", lambda part, resume: DeviceOperator(part, POLICY, RulesSettings(), resume))
        snapshots = None if self.memory is None else Snapshots(self.memory, "group", 0.0)
        return StreamWorker([hop], send, committed, fetch_wait_ms=1, snapshots=snapshots)

    async def assign(self, worker: StreamWorker) -> int:
        """What the transport does at an assignment; returns where it reads on."""
        self.epoch += 1
        found = await worker.committed([TOPIC])
        return worker.restore({TOPIC: found.get(TOPIC)}, self.epoch).get(TOPIC, 0)

    def feed(self, worker: StreamWorker, first: int, count: int, follows: int | None = None) -> None:
        """A batch of impressions."""
        records = RecordList([event_record(first + number) for number in range(count)])
        worker.on_batch(Batch(TOPIC, records, self.epoch, follows))

    def commit(self, worker: StreamWorker) -> None:
        """Commit all flush points, through the string that Kafka keeps."""
        for tp, point in worker.flush_points().items():
            self.committed[tp] = Checkpoint.parse(point.offset, point.metadata())
        worker.on_committed(dict(worker.flush_points()))


async def snapshot(worker: StreamWorker) -> None:
    """One round of what runs beside the flushes."""
    assert worker.keeper is not None
    await worker.keeper.save_next()
    await worker.flush()
    await worker.keeper.store_taken()


@pytest.fixture
def group() -> Group:
    """A group that keeps snapshots."""
    return Group(Memory())


async def test_a_commit_names_a_snapshot_and_who_takes_over_reads_the_log_from_there(group):
    """Not from the beginning of the oldest live window, which is offset 0."""
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await snapshot(worker)
    group.commit(worker)
    group.feed(worker, 50, 7, follows=49)
    await worker.flush()
    group.commit(worker)
    point = group.committed[TOPIC]
    assert (point.offset, point.replay_start.low) == (57, 0)
    assert point.snapshot is not None
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 50
    assert heir.replaying() == {TOPIC: (7, 7)}
    group.feed(heir, 50, 7)
    assert heir.replaying() == {}


async def test_partitions_that_go_leave_a_snapshot_where_they_were_committed(group):
    """Who takes them over reads nothing again: that is a rolling restart."""
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await worker.before_revoke()
    group.commit(worker)
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 50
    assert heir.replaying() == {}
    group.feed(heir, 20, 30)  # delivered again
    assert not await heir.flush()


async def test_a_quiet_partition_gets_its_last_snapshot_once(group):
    """It is committed though no offset moves, and nothing is written again after that."""
    worker = await group.worker()
    group.feed(worker, 0, 5)
    await worker.flush()
    group.commit(worker)
    assert group.committed[TOPIC].snapshot is None
    for _ in range(3):
        await snapshot(worker)
    group.commit(worker)
    assert group.committed[TOPIC].snapshot is not None
    stored = len(group.memory.records)
    await snapshot(worker)
    assert len(group.memory.records) == stored


@pytest.mark.parametrize("damage", ["torn", "missing part", "missing manifest", "foreign", "no topic", "off"])
async def test_without_a_whole_snapshot_the_log_is_read_as_ever(group, damage):
    """Whatever is wrong with it."""
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await snapshot(worker)
    await worker.flush()
    group.commit(worker)
    await worker.flush()
    memory, named = group.memory, group.committed[TOPIC].snapshot
    assert named is not None
    part = memory.records[0]
    if damage == "torn":
        memory.records[0] = part._replace(value=part.value[:-1] + b"?")
    elif damage == "missing part":
        memory.records.append(Stored(len(memory.records), part.key, None))
    elif damage == "missing manifest":
        del memory.records[named.offset :]
    elif damage == "foreign":
        memory.records[named.offset] = memory.records[named.offset]._replace(value=b"\xc1 what is this")
    elif damage == "no topic":
        memory.down = True
    else:
        group.memory = None
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 0
    group.feed(heir, 0, 50)
    assert heir.replaying() == {}
    assert not await heir.flush()


def forge(memory: Memory, at: int) -> None:
    """Have the last part of the snapshot whose manifest lies here be one that nobody can read, past every checksum."""
    manifest = msgspec.msgpack.decode(memory.records[at].value or b"", type=Manifest)
    where = manifest.parts[-1].at[0]
    blob, forged = unreadable(memory.records[where].value or b"", manifest, [where])
    memory.records[where] = memory.records[where]._replace(value=blob)
    memory.records[at] = memory.records[at]._replace(value=forged)


async def test_what_is_left_for_later_is_put_back_beside_what_comes(group, monkeypatch):
    """Until nothing is left; a restart in between loses nothing of it."""
    monkeypatch.setattr(device_loader, "EAGER_MS", -1)
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await snapshot(worker)
    group.commit(worker)
    heir = await group.worker()
    group.commit(heir)
    heir = await group.worker()
    pieces = 0
    while heir.put_back_next():
        pieces += 1
    assert pieces
    assert heir.disowned() == {}
    group.feed(heir, 20, 30)  # delivered again
    assert not await heir.flush()


async def test_a_snapshot_of_no_use_when_it_is_looked_into_is_named_no_more(group, monkeypatch):
    """Whoever restarts the worker would see it end again and again."""
    monkeypatch.setattr(device_loader, "EAGER_MS", -1)
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await snapshot(worker)
    group.commit(worker)
    named = group.committed[TOPIC].snapshot
    assert named is not None
    forge(group.memory, named.offset)
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 50
    with pytest.raises(SnapshotRefused):
        heir.put_back_next()
    with pytest.raises(SnapshotRefused):
        group.feed(heir, 50, 1)
    heir.suspend()
    assert list(heir.disowned()) == [TOPIC]
    assert heir.flush_points() == {}, "somebody else may have the partition, and have committed"
    heir = await group.worker()
    with pytest.raises(SnapshotRefused):
        heir.put_back_next()
    assert list(heir.disowned()) == [TOPIC]
    group.commit(heir)
    assert group.committed[TOPIC].snapshot is None
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 0
    group.feed(heir, 0, 50)
    assert not await heir.flush()


async def test_snapshots_go_on_after_kafka_did_not_take_one(group):
    """What was taken is in the next one; until then commits name the last that is whole."""
    worker = await group.worker()
    group.feed(worker, 0, 20)
    group.memory.down = True
    await snapshot(worker)
    group.commit(worker)
    assert group.committed[TOPIC].snapshot is None
    group.memory.down = False
    group.feed(worker, 20, 5, follows=19)
    await snapshot(worker)
    group.commit(worker)
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 25
    group.feed(heir, 0, 25)
    assert not await heir.flush()


async def test_records_that_no_commit_needs_are_deleted(group):
    """Those of snapshots before the one that is committed; also what a worker wrote that was killed since."""
    worker = await group.worker()
    for number in range(6):
        group.feed(worker, number * 10, 10, follows=number * 10 - 1 if number else None)
        await snapshot(worker)
        group.commit(worker)
    killed = len(group.memory.kept())
    assert killed < len(group.memory.records)
    heir = await group.worker()
    assert heir.positions()[TOPIC] == 60
    group.feed(heir, 60, 10)
    await snapshot(heir)
    group.commit(heir)
    await snapshot(heir)
    parts, rest, manifest = 7, 1, 1
    assert len(group.memory.kept()) == parts + rest + manifest


async def test_a_commit_never_names_a_snapshot_beyond_it(group):
    """One that is stored while outputs before it still wait to be acknowledged."""
    worker = await group.worker()
    group.feed(worker, 0, 5)
    await worker.flush()
    before = worker.flush_points()[TOPIC]
    acknowledged = asyncio.Event()

    async def slow(_outputs: list[Output]) -> None:
        await acknowledged.wait()

    worker._send = slow
    group.feed(worker, 5, 5, follows=4)
    await worker.keeper.save_next()
    flushing = asyncio.create_task(worker.flush())
    await asyncio.sleep(0)
    await worker.keeper.store_taken()
    assert worker.flush_points()[TOPIC] == before
    assert worker.flush_points()[TOPIC].snapshot is None
    acknowledged.set()
    await flushing
    await worker.keeper.store_taken()


async def test_state_that_cannot_be_encoded_ends_snapshots_and_nothing_else(group):
    """The partition is counted on; the log has it."""
    worker = await group.worker()
    group.feed(worker, 0, 5)
    await worker.flush()
    group.commit(worker)
    held = worker._partitions[TOPIC]
    held.operator._store.windows[next(iter(held.operator._store.windows))].tracked = "\ud800"
    group.feed(worker, 5, 5, follows=4)
    await snapshot(worker)
    assert held.saving is None
    group.feed(worker, 10, 5, follows=9)
    assert await worker.flush()
    group.commit(worker)
    assert group.committed[TOPIC].offset == 15


async def test_a_replay_that_was_half_done_goes_on_after_a_rebalance():
    """Else each rebalance would begin it anew: no snapshots here, which makes it long."""
    group = Group(None)
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await worker.flush()
    group.commit(worker)
    heir = await group.worker()
    group.feed(heir, 0, 30)
    assert heir.replaying() == {TOPIC: (20, 50)}
    assert replay_progress(heir.replaying().values()) == {"replay": "1 partitions read 50 records again: 60 % done"}
    heir.suspend()
    assert await group.assign(heir) == 30
    group.feed(heir, 30, 20)
    assert heir.replaying() == {}
    assert replay_progress(heir.replaying().values()) == {}
    assert not await heir.flush()


async def test_a_replay_towards_another_commit_begins_anew():
    """Somebody else had the partition meanwhile, and committed."""
    group = Group(None)
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await worker.flush()
    group.commit(worker)
    slow = await group.worker()
    group.feed(slow, 0, 30)
    heir = await group.worker()
    group.feed(heir, 0, 55)
    await heir.flush()
    group.commit(heir)
    assert await group.assign(slow) == 0


async def test_what_was_loaded_when_a_rebalance_began_is_not_loaded_again(group, monkeypatch):
    """Else loads that take longer than the time between two rebalances would never end."""
    worker = await group.worker()
    group.feed(worker, 0, 50)
    await snapshot(worker)
    group.commit(worker)
    heir = await group.unassigned()
    await heir.committed([TOPIC])  # and no `restore`: another rebalance came in between
    monkeypatch.setattr(Snapshots, "load", None)
    assert await group.assign(heir) == 50
