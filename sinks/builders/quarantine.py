"""Quarantined records: raw bytes and the headers that say why."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.batch import Record
from sinks.builders.inserts import ColumnarInsert
from sori.quarantine import parse

TABLE = "quarantine_in"
#: Column -> type, and the field of sori.quarantine.Quarantined that fills it.
_COLUMNS = {
    "received_ms": ("Int64", "received_at"),
    "verified": ("UInt8", "verified"),
    "reason": ("String", "reason"),
    "detail": ("String", "detail"),
    "field": ("String", "field"),
    "endpoint": ("String", "endpoint"),
    "account_id": ("String", "account"),
    "key_id": ("String", "key_id"),
    "content_type": ("String", "content_type"),
    "id": ("String", "id"),
    "content_encoding": ("String", "content_encoding"),
    "source_topic": ("String", "source_topic"),
    "source_partition": ("Int32", "source_partition"),
    "source_offset": ("Int64", "source_offset"),
}


def build(records: Sequence[Record], log: int = 0) -> ColumnarInsert:
    """Columns for quarantine_in; any record gives a row."""
    read = [parse(record.headers, record.value or b"", record.timestamp) for record in records]
    names = ["raw", "kafka_partition", "kafka_offset", "log", *_COLUMNS]
    columns: list[list[object]] = [
        [record.value or b"" for record in records],
        [record.partition for record in records],
        [record.offset for record in records],
        [log] * len(records),
    ]
    columns += [[getattr(entry, field) for entry in read] for _, field in _COLUMNS.values()]
    types = ["String", "Int32", "Int64", "UInt32", *(kind for kind, _ in _COLUMNS.values())]
    return ColumnarInsert(TABLE, names, types, columns)
