"""Raw events: one column per part of the record, no parsing of the body in Python.

The ingress writes six headers in a fixed order, and eight for an event that is not plain (see sori.reading), so they
are read by position. A record of another producer takes the slow path, where absent headers are empty and a body
without an identity is read as the ingress would.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from sinks.batch import Headers, Record
from sinks.builders.inserts import ColumnarInsert
from sori.errors import EventError
from sori.events import decode
from sori.identity import identity
from sori.reading import foreign
from sori.records import CANONICAL, DEFECTS, NAMES, event_headers, parse_headers

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


def build(records: Sequence[Record], log: int = 0) -> ColumnarInsert:
    """Columns for events_in; any record gives a row."""
    columns = [*(_as_written_by_ingest(records) or _any(records)), [log] * len(records)]
    return ColumnarInsert(TABLE, list(COLUMNS), list(COLUMNS.values()), columns)


def _as_written_by_ingest(records: Sequence[Record]) -> list[Sequence[object]] | None:
    """The columns, if every record has its six headers in order; one pass, since each record is a walk in memory."""
    columns: list[list[Any]] = [[] for _ in range(len(COLUMNS) - 1)]
    raw, received, partition, offset, account, event, endpoint, verified, key_id, identities, canonical, defects = (
        column.append for column in columns
    )
    try:
        for record in records:
            (first, a), (_, e), (_, p), (_, v), (_, k), (last, i), *more = record.headers
            if more:  # no plain event
                (seventh, form), (eighth, flaws) = more
                if seventh != CANONICAL or eighth != DEFECTS:
                    return None
            else:
                form = flaws = b""
            if last != _LAST or first != _FIRST or not i:
                return None
            raw(record.value or b"")
            received(record.timestamp)
            partition(record.partition)
            offset(record.offset)
            account(a)
            event(e)
            endpoint(p)
            verified(v == b"1")
            key_id(k)
            identities(i)
            canonical(form)
            defects(flaws)
    except ValueError:  # another number of headers
        return None
    return [*columns]


def _any(records: Sequence[Record]) -> list[Sequence[object]]:
    bodies = [record.value or b"" for record in records]
    heads = [complete(record.headers, body) for record, body in zip(records, bodies, strict=True)]
    return [
        bodies,
        [record.timestamp for record in records],
        [record.partition for record in records],
        [record.offset for record in records],
        [h[0][1] for h in heads],
        [h[1][1] for h in heads],
        [h[2][1] for h in heads],
        [h[3][1] == b"1" for h in heads],
        [h[4][1] for h in heads],
        [h[5][1] for h in heads],
        [h[6][1] for h in heads],
        [h[7][1] for h in heads],
    ]


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
