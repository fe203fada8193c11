"""What waits encoded is what its records say: the same block, and the same records where somebody reads them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.telemetry.tracing import TRACEPARENT
from sinks.batch import Collector, Record, make_batch
from sinks.builders import events
from sinks.insert import encoded_events
from sinks.insert.encoded_events import EncodedEvents
from sinks.insert.native import encode_block
from sinks.insert.slices import cut
from sori.records import CANONICAL, DEFECTS, NAMES, event_headers
from testkit.records import FakeRecord, body, event_record

IDENTITIES = st.sampled_from(["act_1", "é\U0001f600", "x" * 200])
texts = st.sampled_from([b"", b"acc_1", "Zoë".encode(), b"\xff\x00", b"\xed\xa0\x80", b"n" * 130])
bodies = st.one_of(
    st.none(),
    st.sampled_from([b"", b"{", b"null", b"\xff", body() * 3, body(activity_id=None), body(device_id="\x00é")]),
    st.builds(
        body,
        activity_id=IDENTITIES | st.none(),
        created_at=st.sampled_from(
            [
                "1970-01-01T00:00:00Z",
                "1969-12-31T23:59:59.999Z",
                "2106-02-07T06:28:15.999Z",
                "2106-02-07T06:28:16Z",
                "",
                "x",
            ]
        ),
        platform=st.sampled_from(["", "Unknown", None, "iOS"]),
        metadata=st.sampled_from([None, {}, {"n": "1" * 400}, {"big": 10**30}]),
    ),
)
six = st.tuples(texts, texts, texts, st.sampled_from([b"1", b"0", b""]), texts, texts | IDENTITIES.map(str.encode)).map(
    lambda values: list(zip(NAMES, values, strict=True))
)
eight = st.tuples(six, texts, texts).map(lambda found: [*found[0], (CANONICAL, found[1]), (DEFECTS, found[2])])
foreign = st.lists(
    st.tuples(st.sampled_from([*NAMES, CANONICAL, TRACEPARENT]), texts | st.none()),
    max_size=9,
    unique_by=lambda h: h[0],
)
records = st.lists(
    st.tuples(bodies, st.integers(-(2**63), 2**63 - 1), st.one_of(six, eight, foreign), st.integers(1, 3)), max_size=25
)


def in_order(found: list[tuple[bytes | None, int, list[tuple[str, bytes]], int]]) -> list[FakeRecord]:
    """Records of partition 3, with holes between their offsets."""
    made, offset = [], 2**40
    for value, timestamp, headers, step in found:
        offset += step
        made.append(FakeRecord(value, offset, 3, timestamp, headers))
    return made


def block(some: Sequence[Record], log: int) -> bytes:
    """As `events.build` says, encoded whole."""
    built = events.build(some, log)
    return bytes(encode_block(built.names, built.types, built.columns))


def one_by_one(record: Record) -> list[object]:
    """What a row is by definition: the ingress's headers as they are, anybody else's completed."""
    names = [name for name, _ in record.headers]
    ours = names in ([*NAMES], [*NAMES, CANONICAL, DEFECTS]) and record.headers[5][1]
    plain = [*record.headers, (CANONICAL, b""), (DEFECTS, b"")][:8]
    value = record.value or b""
    head = [value or b"" for _, value in (plain if ours else events.complete(record.headers, value))]
    head[3] = head[3] == b"1"
    return [value, record.timestamp, record.partition, record.offset, *head, 7]


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoded_events, "PIECE", 4)
        yield


@given(records)
def test_a_block_of_pieces_is_the_block_of_its_records(found) -> None:
    """Byte for byte, and each row what its record says by itself: absent, null, binary and odd values, as they came."""
    some = in_order(found)
    encoded = EncodedEvents.of(3, iter(some))
    assert len(encoded) == len(some)
    built = events.build(some, 7)
    assert [list(row) for row in zip(*built.columns, strict=True)] == [one_by_one(record) for record in some]
    insert = encoded.insert(7)
    assert (insert.table, list(insert.names)) == (built.table, list(built.names))
    assert b"".join(insert.pieces) == block(some, 7)


@given(records.filter(bool), st.data())
def test_records_are_read_again_as_they_were(found, data) -> None:
    """One, some or all: whoever encodes them again has the same block; slices begin and end within pieces."""
    some = in_order(found)
    encoded = EncodedEvents.of(3, some)
    assert [(r.partition, r.offset, r.timestamp, r.value) for r in encoded] == [
        (r.partition, r.offset, r.timestamp, r.value or b"") for r in some
    ]
    assert block(list(encoded), 0) == block(some, 0)
    assert (encoded[0].offset, encoded[-1].offset) == (some[0].offset, some[-1].offset)
    first = data.draw(st.integers(0, len(some)))
    after = data.draw(st.integers(first, len(some)))
    assert b"".join(encoded[first:after].insert(0).pieces) == (
        block(some[first:after], 0) if first < after else b"".join(EncodedEvents().insert(0).pieces)
    )


def test_a_batch_and_its_slices_are_those_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever repeats a batch has records from Kafka: ranges, order and the tokens of slices must be the same."""
    monkeypatch.setattr("sinks.insert.slices.LEAST_ROWS", 10)
    by_partition = {p: [event_record(n, p) for n in range(9 + p)] for p in (2, 0, 1)}
    collector = Collector("t", max_rows=10**6, max_bytes=10**9, max_age_s=1)
    for partition, some in by_partition.items():
        for start in (0, 5):
            encoded = EncodedEvents.of(partition, some[start : 5 if start == 0 else None])
            collector.add(encoded, len(encoded), 0.0, encoded.size)
    batch, again = collector.take(), make_batch("t", by_partition)
    assert batch.ranges == again.ranges
    ours, theirs = cut(batch, 2), cut(again, 2)
    assert [part.token for part in ours] == [part.token for part in theirs]
    assert len(ours) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert b"".join(one.records.insert(5).pieces) == block(other.records, 5)


def test_a_batch_is_due_by_its_encoded_bytes() -> None:
    """They are what is held."""
    collector = Collector("t", max_rows=10**6, max_bytes=2_000, max_age_s=60)
    large = EncodedEvents.of(0, [FakeRecord(b"x" * 1_990)])
    collector.add(large, 1, 0.0, large.size)
    assert collector.full


def test_records_with_a_trace_stay_as_they_were_fetched() -> None:
    """Their headers are not columns; all others are gone."""
    headers = event_headers(account="a", event="e", endpoint="/", verified=True, key_id="k", identity="i")
    traced = FakeRecord(body(), 1, headers=[*headers, (TRACEPARENT, b"00-1-1-01")])
    encoded = EncodedEvents.of(0, [event_record(0), traced, FakeRecord(body(), 2)])
    assert encoded.carriers == [traced]
    assert encoded[1].headers == [*headers, (CANONICAL, b""), (DEFECTS, b"")]
