"""A worker that waits beside the one it replaces has its state when that one goes, and stands where it stood."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from faust.types import TP

from sori.errors import ConfigError, StorageUnavailable
from sori.settings import load_settings
from streams.state.checkpoint import Checkpoint
from streams.worker.standby import Standby, patiently
from streams.worker.worker import StreamWorker
from tests.streams.test_exactness import fingerprint
from tests.streams.worker.test_snapshots import TOPIC, Group, Memory, snapshot


class Other:
    """The worker to be replaced: what the standby sees of it, look by look; it says that it left after the last."""

    def __init__(self, group: Group, looks: list[frozenset[TP] | None]) -> None:
        self.group = group
        self.looks = looks
        self.asked = 0

    async def said_left(self) -> bool:
        """After the last look."""
        return self.asked == len(self.looks)

    async def partitions(self) -> frozenset[TP] | None:
        """The next look."""
        self.asked += 1
        return self.looks[self.asked - 1]

    async def committed(self, tps: Collection[TP]) -> Mapping[TP, Checkpoint]:
        """Of the group."""
        return {tp: self.group.committed[tp] for tp in tps if tp in self.group.committed}


@pytest.fixture
def group() -> Group:
    """A group that keeps snapshots."""
    return Group(Memory())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow one another."""
    monkeypatch.setattr("streams.worker.standby._LOOK_S", 0.0)


async def next_worker(group: Group) -> tuple[StreamWorker, Standby]:
    """One that has no partition yet."""
    worker = await group.unassigned()
    assert worker.keeper is not None

    async def learn(_topics: Collection[str]) -> None:
        """Nothing to learn of a fake log."""

    return worker, Standby(worker.keeper, worker._hops, learn)


async def work(group: Group, worker: StreamWorker, first: int, count: int) -> None:
    """Events, a snapshot of them, and the commit that names it."""
    group.feed(worker, first, count, follows=first - 1 if first else None)
    await snapshot(worker)
    await worker.flush()
    group.commit(worker)


async def test_a_standby_loads_beforehand_and_stands_where_the_other_one_stood(group):
    """At the takeover it reads what the last snapshot adds, and its state is that of one who never stopped."""
    assert group.memory is not None
    worker = await group.worker()
    await work(group, worker, 0, 500)
    heir, standby = await next_worker(group)
    assert standby.missing()
    await standby.until_gone(Other(group, [frozenset({TOPIC})]))
    assert not standby.missing()
    await work(group, worker, 500, 20)
    await standby.until_gone(Other(group, [frozenset({TOPIC})]))
    await work(group, worker, 520, 7)
    group.memory.read_positions.clear()
    assert await group.assign(heir) == 527
    first_parts = [record.at for record in group.memory.records if record.at < group.memory.read_positions[0][0]]
    assert first_parts
    assert min(min(positions) for positions in group.memory.read_positions) > min(first_parts)
    assert fingerprint(heir._partitions[TOPIC].operator) == fingerprint(worker._partitions[TOPIC].operator)


async def test_what_does_not_follow_what_was_loaded_is_loaded_anew(group):
    """Somebody else had the partition meanwhile, and went on from an older snapshot."""
    worker = await group.worker()
    await work(group, worker, 0, 50)
    before = dict(group.committed)
    await work(group, worker, 50, 20)
    heir, standby = await next_worker(group)
    await standby.until_gone(Other(group, [frozenset({TOPIC})]))
    group.committed = before
    third = await group.worker()
    group.feed(third, 50, 30)
    await snapshot(third)
    await third.flush()
    group.commit(third)
    assert await group.assign(heir) == 80
    assert fingerprint(heir._partitions[TOPIC].operator) == fingerprint(third._partitions[TOPIC].operator)


async def test_a_standby_begins_where_there_is_nobody_to_replace(group):
    """Without a note: the group has no such member."""
    _, standby = await next_worker(group)
    other = Other(group, [frozenset(), None, frozenset()])
    await standby.until_gone(other)
    assert other.asked == 2


async def test_partitions_that_the_other_one_gave_up_are_let_go(group):
    """They would be held twice, and never be asked for."""
    worker = await group.worker()
    await work(group, worker, 0, 50)
    heir, standby = await next_worker(group)
    assert heir.keeper is not None
    await standby.until_gone(Other(group, [frozenset({TOPIC})]))
    assert set(heir.keeper.warm) == {TOPIC}
    await standby.until_gone(Other(group, [frozenset()]))
    assert not heir.keeper.warm


async def test_a_kafka_that_does_not_answer_is_waited_for():
    """There is nothing else to do."""
    times = 0

    async def wait() -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise StorageUnavailable("down")

    await patiently(wait, pause_s=0)
    assert times == 3


@pytest.mark.parametrize("lacking", [{"instance_id": ""}, {"instance_id": "a", "snapshots": False}])
def test_a_standby_needs_an_id_and_snapshots(lacking):
    """Else it would wait for nobody, or with nothing."""
    with pytest.raises(ConfigError, match="standby"):
        load_settings(streams={"standby": True, **lacking})
