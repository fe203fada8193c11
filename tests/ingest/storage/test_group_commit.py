"""Group commit and drain against a Kafka and a disk that fail at will: nothing lost, nothing overtaken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from ingest.storage.group_commit import MAX_GROUP_BYTES, MAX_GROUP_RECORDS, Committer
from ingest.storage.spool_drain import Drain
from sori.errors import StorageUnavailable
from testkit.examples import examples
from testkit.running_ingress import SteeredLog
from testkit.wait import wait_until


class MemorySpool:
    """The spool's protocol on a list; `room` is how many records fit."""

    def __init__(self) -> None:
        self.held: list[Record] = []
        self.room = 1_000_000
        self.fails = lambda: False

    @property
    def pending(self) -> int:
        return len(self.held)

    @property
    def has_room(self) -> bool:
        return len(self.held) < self.room

    async def append(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        if self.fails() or len(self.held) + len(records) > self.room:
            raise StorageUnavailable("full")
        self.held += records

    async def peek(self, limit: int) -> list[Record]:
        await asyncio.sleep(0)
        return self.held[:limit]

    async def drop(self, count: int) -> None:
        del self.held[:count]

    async def park(self) -> None:
        del self.held[0]


def record(number: int, value: bytes = b"v") -> Record:
    return Record("t", b"k", value, number, [])


@asynccontextmanager
async def committing(log: SteeredLog, spool: MemorySpool, **options: float) -> object:
    committer = Committer(log, spool, **{"ack_timeout_s": 1.0, "deadline_s": 5.0, **options})  # type: ignore[arg-type]
    drain = Drain(log, spool, committer, timeout_s=1.0)
    tasks = [asyncio.create_task(part.run()) for part in (committer, drain)]
    try:
        yield committer
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def test_what_arrives_while_a_group_is_stored_is_the_next_group() -> None:
    log, spool = SteeredLog(), MemorySpool()
    async with committing(log, spool) as committer:
        await committer.went_direct.wait()
        log.delay_s = 0.05
        outcomes = [committer.submit(record(number)) for number in range(100)]
        await asyncio.sleep(0.01)
        outcomes += [committer.submit(record(number)) for number in range(100, 200)]
        assert set(await asyncio.gather(*outcomes)) == {Outcome.ACCEPTED}
        assert log.writes == 2
        assert [r.timestamp_ms for r in log.stored] == list(range(200))


async def test_a_group_is_bounded_in_records_and_bytes() -> None:
    log, spool = SteeredLog(), MemorySpool()
    async with committing(log, spool) as committer:
        await committer.went_direct.wait()
        small = [committer.submit(record(number)) for number in range(MAX_GROUP_RECORDS + 1)]
        await asyncio.gather(*small)
        assert log.writes == 2
        large = [committer.submit(record(0, b"x" * (MAX_GROUP_BYTES // 2))) for _ in range(5)]
        await asyncio.gather(*large)
        assert log.writes == 2 + 3


async def test_nowhere_to_store_is_overloaded_and_not_kept() -> None:
    log, spool = SteeredLog(), MemorySpool()
    log.up, spool.room = False, 0
    async with committing(log, spool) as committer:
        assert await committer.submit(record(1)) is Outcome.OVERLOADED
        assert not committer.can_store
        log.up = True
        await committer.went_direct.wait()
        assert committer.can_store
        assert await committer.submit(record(2)) is Outcome.ACCEPTED
        assert [r.timestamp_ms for r in log.stored] == [2]


async def test_the_deadline_answers_even_when_nothing_moves() -> None:
    log, spool = SteeredLog(), MemorySpool()
    async with committing(log, spool, ack_timeout_s=10.0, deadline_s=0.2) as committer:
        await committer.went_direct.wait()
        log.delay_s = 5.0
        outcomes = [committer.submit(record(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert committer.oldest_wait_s() >= 0
        assert set(await asyncio.gather(*outcomes)) == {Outcome.TIMEOUT}
        assert committer.oldest_wait_s() == 0.0


@pytest.mark.parametrize("seed", range(5))
async def test_under_a_steady_stream_the_drain_does_catch_up(seed: int) -> None:
    log, spool = SteeredLog(), MemorySpool()
    spool.held = [record(number) for number in range(10_000)]
    jitter = random.Random(seed)
    async with committing(log, spool) as committer:
        number = 10_000

        async def one() -> None:
            nonlocal number
            number += 1
            await committer.submit(record(number))

        while not committer.direct:
            await asyncio.gather(*(one() for _ in range(jitter.randrange(1, 50))))
        await wait_until(lambda: not spool.held)
        stamps = [r.timestamp_ms for r in log.stored]
        assert stamps == sorted(stamps)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), min_size=1, max_size=25))
@examples(40)
def test_whatever_fails_everything_answered_2xx_is_stored_once_and_in_order(
    steps: list[tuple[int, bool, bool]],
) -> None:
    """Steps: so many events, Kafka up or down, disk well or broken."""

    async def scenario() -> None:
        log, spool = SteeredLog(), MemorySpool()
        broken = False
        spool.fails = lambda: broken
        number, answered = 0, {}
        async with committing(log, spool) as committer:
            for count, up, breaks in steps:
                log.up, broken = up, breaks
                outcomes = {number + i: committer.submit(record(number + i)) for i in range(count)}
                number += count
                answered |= {key: await outcome for key, outcome in outcomes.items()}
            log.up, broken = True, False
            await wait_until(lambda: committer.direct and not spool.held, interval=0.005)
        good = [key for key, outcome in answered.items() if outcome in (Outcome.ACCEPTED, Outcome.SPOOLED)]
        assert [r.timestamp_ms for r in log.stored] == good

    asyncio.run(scenario())
