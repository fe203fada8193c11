"""Where a sink goes on: commits mean something only in the log that they were made in."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiokafka import TopicPartition
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from runtime.kafka.log_identity import LogIdentity
from runtime.kafka.offsets import Committed
from sinks.batch import UNNAMED, LogEra, Ranges
from sinks.consumer import log_book
from sinks.consumer.commit_intents import Standing, open_partitions, resume
from sinks.consumer.log_book import LogBook
from sinks.insert.writer import Writer
from sori.settings.kafka import KafkaSettings

OURS, OTHER = 0x1A2B3C4D, 0x55555555
logs = st.builds(LogEra, st.sampled_from([OURS, OTHER]), st.integers(0, 3)) | st.just(UNNAMED)


@given(st.dictionaries(st.integers(0, 5), st.tuples(st.integers(0, 20), logs), max_size=6), st.integers(0, 20))
def test_only_offsets_of_this_log_within_its_end_are_gone_on_from(
    commits: dict[int, tuple[int, LogEra]], end: int
) -> None:
    """Every other partition is read from its beginning and named; an end cut off begins an era without known tokens."""
    standing = Standing(
        {p: offset for p, (offset, _) in commits.items()}, {p: log for p, (_, log) in commits.items()}, ()
    )
    found = resume(standing, OURS, dict.fromkeys(range(6), end))
    assert found.offsets == {p: o for p, (o, log) in commits.items() if log.key in (0, OURS) and o <= end}
    assert found.offsets.keys() | set(found.restarted) == commits.keys()
    eras = [log.era for _, log in commits.values() if log.key == OURS]
    cut_off = any(o > end and log.key in (0, OURS) for o, log in commits.values())
    assert found.log == LogEra(OURS, max(eras, default=0) + cut_off)


def test_a_block_of_another_log_is_not_repeated() -> None:
    """Nor one of which the log has lost the end; one from before logs had names is, under its old token."""
    ours, old = Ranges("t", {0: (3, 9)}, LogEra(OURS)), Ranges("t", {1: (3, 9)})
    other, lost = Ranges("t", {0: (3, 9)}, LogEra(OTHER)), Ranges("t", {0: (3, 30)}, LogEra(OURS))
    standing = Standing({0: 3, 1: 3}, {0: LogEra(OURS), 1: UNNAMED}, (ours, old, other, lost))
    found = resume(standing, OURS, {0: 9, 1: 9})
    assert found.intents == (ours, old)
    assert [open_partitions(intent, found.offsets) for intent in found.intents] == [[0], [1]]
    assert old.token == "t/1:3-9"
    assert len({ours.token, other.token, Ranges("t", {0: (3, 9)}, LogEra(OURS, 1)).token}) == 3


def test_a_block_whose_records_are_gone_in_part_is_not_repeated() -> None:
    """Reading it again would wait for ever for what Kafka let go; it is no other log for that."""
    ours = Ranges("t", {0: (3, 9), 1: (2, 5)}, LogEra(OURS))
    standing = Standing({0: 3, 1: 2}, {0: LogEra(OURS), 1: LogEra(OURS)}, (ours,))
    assert resume(standing, OURS, {0: 9, 1: 9}, {0: 3, 1: 2}).intents == (ours,)
    gone = resume(standing, OURS, {0: 9, 1: 9}, {0: 4, 1: 0})
    assert (gone.intents, gone.offsets, gone.log) == ((), {0: 3, 1: 2}, LogEra(OURS))


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
async def test_the_log_that_was_there_before_the_upgrade_keeps_the_name_of_its_rows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one, and a first one without commits of an older version, has a name of its own."""
    first, second = (LogIdentity(cluster, "t.events", uuid.UUID(int=7)) for cluster in ("one", "two"))
    fresh = LogIdentity("one", "t.late", uuid.UUID(int=8))
    seen = {"t.events": first, "t.late": fresh}

    async def identity(_: KafkaSettings, topic: str) -> LogIdentity:
        return seen[topic]

    async def committed(_: KafkaSettings, group: str) -> dict[TopicPartition, Committed]:
        return {TopicPartition("t.events", 0): Committed(12, "")} if group == "g" else {}

    monkeypatch.setattr(log_book, "read_log_identity", identity)
    monkeypatch.setattr(log_book, "read_all_committed", committed)
    with ThreadPoolExecutor(1) as executor:

        async def stored_as(topic: str, group: str) -> int:
            book = LogBook(KafkaSettings(), Writer(lambda: client), executor)  # each time as after a restart
            return (await book.look_up(topic, group)).stored_as

        assert [await stored_as("t.events", "g") for _ in range(2)] == [0, 0]
        assert await stored_as("t.late", "other") == fresh.key
        seen["t.events"] = second
        assert [await stored_as("t.events", "g") for _ in range(2)] == [second.key] * 2
        seen["t.events"] = first
        assert await stored_as("t.events", "g") == 0
