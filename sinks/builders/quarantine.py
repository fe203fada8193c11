"""Quarantined records: raw bytes and the headers that say why."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.batch import Record
from sinks.builders.inserts import ColumnarInsert

TABLE = "quarantine_in"
_TEXT = {
    "reason": "reason",
    "detail": "detail",
    "field": "field",
    "endpoint": "endpoint",
    "account_id": "account",
    "key_id": "key_id",
    "content_type": "content_type",
}


def build(records: Sequence[Record]) -> ColumnarInsert:
    """Columns for quarantine_in; any record gives a row."""
    heads = [{name: value or b"" for name, value in record.headers} for record in records]
    names = ["raw", "received_ms", "kafka_partition", "kafka_offset", "verified", *_TEXT]
    columns: list[list[object]] = [
        [record.value or b"" for record in records],
        [_milliseconds(head.get("received_at", b""), r.timestamp) for head, r in zip(heads, records, strict=True)],
        [record.partition for record in records],
        [record.offset for record in records],
        [head.get("verified") == b"1" for head in heads],
    ]
    columns += [[head.get(name, b"") for head in heads] for name in _TEXT.values()]
    types = ["String", "Int64", "Int32", "Int64", "UInt8", *["String"] * len(_TEXT)]
    return ColumnarInsert(TABLE, names, types, columns)


def _milliseconds(header: bytes, otherwise: int) -> int:
    return int(header) if header.isdigit() and len(header) < 16 else otherwise
