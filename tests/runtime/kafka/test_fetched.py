"""Raw fetches yield what aiokafka's own parser yields; packs of one piece are those of lines."""

from __future__ import annotations

from itertools import islice

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from runtime.kafka import fetched
from runtime.kafka.fetched import FetchedRecords, RawPartition, RawResults
from sori.topics import CTR_WINDOWS
from streams.state import output
from streams.state.output import pack, pack_lines

TP = TopicPartition("events", 0)


def batch(base: int, values: list[bytes], compression: int = 0) -> bytes:
    """A record batch as a broker stores it."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1_000_000)
    for at, value in enumerate(values):
        assert builder.append(at, 1_000 + base + at, b"k", value, [("account", b"a")]) is not None
    made = bytearray(builder.build())
    made[:8] = base.to_bytes(8, "big")
    return bytes(made)


def by_aiokafka(log: bytes, offset: int, isolation: int = READ_UNCOMMITTED) -> PartitionRecords:
    """What aiokafka's fetcher makes of a response."""
    return PartitionRecords(TP, MemoryRecords(log), [], offset, None, None, True, isolation)  # noqa: FBT003


def raw(log: bytes, offset: int) -> RawPartition:
    """The same fetch, raw."""
    return RawPartition(TP, MemoryRecords(log), offset, check_crcs=True)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.sampled_from([0, 1, 3])), min_size=1, max_size=4),
    st.data(),
)
def test_records_and_positions_are_those_of_aiokafka(batches, data):
    """From any offset within the first batch, with holes between batches, compressed or not."""
    log, offset = b"", 100
    for count, hole, compression in batches:
        log += batch(offset, [b"v%d" % (offset + at) for at in range(count)], compression)
        offset += count + hole
    begin = data.draw(st.integers(100, 99 + batches[0][0]))
    theirs, ours = by_aiokafka(log, begin), raw(log, begin)
    expected, (fetched,) = list(theirs), list(ours)
    assert (fetched.first_offset, fetched.last_offset) == (expected[0].offset, expected[-1].offset)
    assert ours.next_fetch_offset == theirs.next_fetch_offset
    assert [(r.offset, r.timestamp, r.value, tuple(r.headers)) for r in fetched] == [
        (r.offset, r.timestamp, r.value, tuple(r.headers)) for r in expected
    ]


def test_a_broken_checksum_is_found_before_any_record_is_handed_on():
    """Also in a later batch: an operator cannot take back what it applied."""
    broken = bytearray(batch(3, [b"v"]))
    broken[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        list(raw(batch(0, [b"a", b"b", b"c"]) + bytes(broken), 0))


def test_a_fetch_is_handed_on_in_pieces_of_so_many_records(monkeypatch):
    """However well they compress: all of them, in order, each piece from where the one before ended."""
    monkeypatch.setattr(fetched, "MAX_RECORDS", 5)
    log = b"".join(batch(first, [b"a", b"b", b"c"]) for first in range(0, 12, 3))
    pieces = list(raw(log, 1))
    assert [(piece.first_offset, piece.last_offset) for piece in pieces] == [(1, 2), (3, 5), (6, 8), (9, 11)]
    assert [record.offset for piece in pieces for record in piece] == list(range(1, 12))


def test_whoever_takes_piece_by_piece_misses_none(monkeypatch):
    """A sink takes a few at a time: what was looked at beyond the last piece comes with the next."""
    monkeypatch.setattr(fetched, "MAX_RECORDS", 5)
    log = b"".join(batch(first, [b"a", b"b", b"c"]) for first in range(0, 12, 3))
    records, taken = raw(log, 1), []
    while pieces := list(islice(records, 1)):
        taken += [record.offset for record in pieces[0]]
        assert records.next_fetch_offset == taken[-1] + 1
    assert taken == list(range(1, 12))


def test_control_batches_move_the_position_and_hold_no_records():
    """Markers of transactions."""
    marker = bytearray(batch(0, [b"\0\0\0\0\0\0"]))
    marker[22] |= 0x20
    ours = RawPartition(TP, MemoryRecords(bytes(marker)), 0, check_crcs=False)
    assert list(ours) == []
    assert ours.next_fetch_offset == 1


def test_results_become_raw_as_they_come_in_unless_transactions_must_be_told_apart():
    """Then aiokafka parses as ever."""
    log = batch(0, [b"a"])

    def result(isolation: int) -> FetchResult:
        found = by_aiokafka(log, 0, isolation)
        return FetchResult(TP, assignment=None, partition_records=found, backoff=0)

    results = RawResults({TP: result(READ_UNCOMMITTED)})
    (one,) = list(results[TP]._partition_records)
    assert isinstance(one, FetchedRecords)
    results[TP] = result(READ_COMMITTED)
    assert isinstance(results[TP]._partition_records, PartitionRecords)


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ")), max_size=30))
def test_lines_in_one_piece_are_packed_like_single_ones(lines):
    """Also where one alone is larger than a pack may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "MAX_PACK_BYTES", 40)
        assert pack(CTR_WINDOWS, b"".join(line + b"\n" for line in lines), 3) == pack_lines(CTR_WINDOWS, lines, 3)
        patch.setattr(output, "MAX_PACK_BYTES", 10)
        assert pack(CTR_WINDOWS, b"".join(line + b"\n" for line in lines), 3) == pack_lines(CTR_WINDOWS, lines, 3)
