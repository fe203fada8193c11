"""Batches and their names. No Kafka, no ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.batch import MAX_PARTITIONS, UNNAMED, Collector, LogEra, Ranges, make_batch
from testkit.records import FakeRecord

spans = st.dictionaries(
    st.integers(0, 500),
    st.tuples(st.integers(0, 2**50), st.integers(1, 10**6)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=MAX_PARTITIONS,
)


@given(spans, st.just(UNNAMED) | st.builds(LogEra, st.integers(1, 2**32 - 1), st.integers(0, 99)))
def test_ranges_survive_their_encoding(by_partition: dict[int, tuple[int, int]], log: LogEra) -> None:
    """What is committed as metadata is read back unchanged, and fits into Kafka's 4096 bytes."""
    done = Ranges("sori.events", {}, log)
    assert log == UNNAMED or Ranges.decode("sori.events", done.encode()) == done
    ranges = Ranges("sori.events", by_partition, log)
    assert Ranges.decode("sori.events", ranges.encode()) == ranges
    assert len(ranges.encode()) <= 4096


@pytest.mark.parametrize("text", ["", "x", "0:1", "0:1-", "a:1-2", '{"low": 3}'])
def test_foreign_metadata_is_refused(text: str) -> None:
    """Another program's commit metadata is not taken for ranges."""
    with pytest.raises(ValueError, match=r"invalid literal|not enough values"):
        Ranges.decode("t", text)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 20)), max_size=30))
def test_the_same_records_give_the_same_batch_however_they_arrived(fetches: list[tuple[int, int]]) -> None:
    """Order of fetches does not matter, only partitions and offsets."""

    def collect(order: list[tuple[int, list[FakeRecord]]]):
        collector = Collector("t", max_rows=10**6, max_bytes=10**9, max_age_s=1)
        for _, records in order:
            collector.add(records, len(records), 0.0)
        return collector.take()

    following: dict[int, int] = {}
    pieces = []
    for partition, count in fetches:
        first = following.get(partition, 0)
        following[partition] = first + count
        pieces.append((partition, [FakeRecord(b"v", first + n, partition) for n in range(count)]))
    one, other = collect(pieces), collect(sorted(pieces, key=lambda piece: piece[0]))
    assert one == other
    assert dict(one.ranges.by_partition) == {p: (0, after) for p, after in following.items()}


def test_a_batch_is_due_by_age_rows_or_bytes() -> None:
    """The first row starts the clock; fullness does not wait for it."""
    collector = Collector("t", max_rows=3, max_bytes=100, max_age_s=2.0)
    assert collector.due_in(5.0) is None
    collector.add([FakeRecord(b"x")], 1, now=10.0)
    collector.add([FakeRecord(b"x", 1)], 1, now=11.0)
    assert collector.due_in(11.0) == 1.0
    assert collector.due_in(12.5) == 0.0
    assert collector.room == 1
    collector.add([FakeRecord(b"x", 2)], 1, now=11.0)
    assert collector.full
    assert len(collector.take().records) == 3
    assert collector.due_in(11.0) is None
    collector.add([FakeRecord(b"x" * 200)], 1, now=20.0)
    assert collector.due_in(20.0) == 0.0


def test_a_batch_never_outgrows_commit_metadata() -> None:
    """Many partitions make a batch due, so that its ranges still fit beside the offsets."""
    collector = Collector("t", max_rows=10**6, max_bytes=10**9, max_age_s=60)
    for partition in range(MAX_PARTITIONS):
        assert not collector.full
        collector.add([FakeRecord(b"x", 2**60, partition)], 1, now=0.0)
    assert collector.full
    assert len(collector.take().ranges.encode()) <= 4096


def test_gaps_stay_inside_a_range() -> None:
    """Offsets that Kafka skips (transactions, compaction) do not split a batch."""
    batch = make_batch("t", {0: [FakeRecord(b"", 3), FakeRecord(b"", 9)], 1: []})
    assert dict(batch.ranges.by_partition) == {0: (3, 10)}
    assert batch.ranges.token == "t/0:3-10"
