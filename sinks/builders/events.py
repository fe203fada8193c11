"""Raw events: one column per part of the record, no parsing of the body in Python.

The ingress writes six headers in a fixed order, and eight for an event that is not plain (see sori.reading), so they
are read by position. A record of another producer takes the slow path, where absent headers are empty and a body
without an identity is read as the ingress would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from sinks.batch import Record
from sinks.builders.inserts import ColumnarInsert
from sori.errors import EventError
from sori.events import decode
from sori.identity import identity
from sori.reading import foreign
from sori.records import CANONICAL, DEFECTS, NAMES, FetchedRecord, Headers, event_headers, parse_headers

TABLE = "events_in"
COLUMNS = {
    "raw": "String",
    "received_ms": "Int64",
    "kafka_partition": "Int32",
    "kafka_offset": "Int64",
    "header_account": "String",
    "header_event": "String",
    "header_endpoint": "String",
    "header_verified": "UInt8",
    "header_key_id": "String",
    "header_identity": "String",
    "canonical": "String",
    "defects": "String",
    "log": "UInt32",
}
_FIRST, _LAST = NAMES[0], NAMES[-1]
#: Where `columns` has account, event, endpoint and key id: they are taken as they come.
_NULLABLE = (3, 4, 5, 7)


def build(records: Sequence[Record], log: int = 0) -> ColumnarInsert:
    """Columns for events_in; any record gives a row."""
    raw, received, *others = columns(records)
    place = [record.partition for record in records]
    every = [raw, received, place, *others, [log] * len(records)]
    return ColumnarInsert(TABLE, list(COLUMNS), list(COLUMNS.values()), every)


def columns(records: Iterable[FetchedRecord], others: list[FetchedRecord] | None = None) -> list[list[Any]]:
    """Those of COLUMNS but `kafka_partition` and `log`; records that are no plain events are added to `others` too.

    One pass that keeps no record: each is a walk in memory, and what is gone at once is no work for the collector.
    """
    found: list[list[Any]] = [[] for _ in range(9)]
    raw, received, offset, account, event, endpoint, verified, key_id, identities = (one.append for one in found)
    odd: dict[int, tuple[bytes, bytes]] = {}  # what is no plain event: its repaired form, and what was repaired
    for record in records:
        head, body = record.headers, record.value or b""
        plain = len(head) == len(NAMES)
        if plain:
            (first, a), (_, e), (_, p), (_, v), (_, k), (last, i) = head
            plain = last == _LAST and first == _FIRST and bool(i)
        if not plain:
            a, e, p, v, k, i, form, flaws = [value for _, value in _all_eight(head, body)]
            odd[len(found[0])] = form, flaws
            if others is not None:
                others.append(record)
        raw(body)
        received(record.timestamp)
        offset(record.offset)
        account(a)
        event(e)
        endpoint(p)
        verified(v == b"1")
        key_id(k)
        identities(i)
    for column in (found[at] for at in _NULLABLE):
        _empty_nulls(column)
    canonical, defects = [b""] * len(found[0]), [b""] * len(found[0])
    for at, (form, flaws) in odd.items():
        canonical[at], defects[at] = form, flaws
    return [*found, canonical, defects]


def _empty_nulls(column: list[bytes | None]) -> None:
    """Kafka's headers may be null; asked at once, since asking each value costs as much as reading it."""
    try:
        b"".join(column)  # type: ignore[arg-type]
    except TypeError:
        column[:] = [value or b"" for value in column]


def _all_eight(head: Headers, body: bytes) -> Headers:
    """As the ingress wrote them, or else completed."""
    if len(head) == len(NAMES) + 2:
        (first, _), *_, (last, found), (seventh, form), (eighth, flaws) = head
        if (
            (first, last, seventh, eighth) == (_FIRST, _LAST, CANONICAL, DEFECTS)
            and found
            and None not in (form, flaws)
        ):
            return head
    return complete(head, body)


def headers_of(values: Sequence[bytes]) -> Headers:
    """The headers that give these values of the columns from `header_account` to `defects`."""
    account, event, endpoint, verified, key_id, identities, canonical, defects = values
    named = zip(NAMES, (account, event, endpoint, verified, key_id, identities), strict=True)
    return [*named, (CANONICAL, canonical), (DEFECTS, defects)]


def presence(records: Sequence[Record], log: int = 0) -> str:
    """Counts the stored rows that came from these records; merges may have left fewer, where deliveries repeat."""
    spans: dict[int, tuple[int, int]] = {}
    for record in records:
        first, last = spans.get(record.partition, (record.offset, record.offset))
        spans[record.partition] = (min(first, record.offset), max(last, record.offset))
    ranges = [f"kafka_partition = {p} AND kafka_offset BETWEEN {a} AND {b}" for p, (a, b) in sorted(spans.items())]
    within = "(" + ") OR (".join(ranges or ["0"]) + ")"
    return f"SELECT uniqExact(kafka_partition, kafka_offset) FROM events WHERE log = {log} AND ({within})"  # noqa: S608 - numbers


def complete(head: Headers, body: bytes) -> Headers:
    """All eight headers, whatever the producer wrote; without an identity the body is read as the ingress would."""
    found = parse_headers(head or ())
    given = dict(head or ())
    canonical, defects = given.get(CANONICAL) or b"", given.get(DEFECTS) or b""
    if not found.identity:
        if not canonical:
            canonical, defects = foreign(body)
        found = found._replace(identity=identity_of(canonical or body))
    return [*event_headers(**found._asdict()), (CANONICAL, canonical), (DEFECTS, defects)]


def identity_of(body: bytes) -> str:
    """The identity of sori.identity, or a digest of bytes that are no event, so that they stay apart."""
    try:
        return identity(decode(body))
    except EventError:
        return "raw:" + blake2b(body, digest_size=16).hexdigest()
