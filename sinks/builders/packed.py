"""Packed rows: record values are NDJSON already, so a batch of them is their concatenation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sinks.batch import Record
from sinks.builders.inserts import NdjsonInsert
from sori.records import ROWS


def builder(table: str) -> Callable[..., NdjsonInsert]:
    """A builder for `table`; its rows say themselves which log they were counted in."""

    def build(records: Sequence[Record], log: int = 0) -> NdjsonInsert:  # noqa: ARG001 - as every builder
        return NdjsonInsert(table, b"\n".join([record.value for record in records if record.value]))

    return build


def unname(insert: NdjsonInsert, keys: Iterable[int]) -> NdjsonInsert:
    """Rows of logs that have no name in this database (see sinks/consumer/log_book.py) do not name them."""
    body = insert.body
    for key in keys:
        # exact: within a JSON string the quotation mark before `log` would be escaped
        body = body.replace(b'"log":%d,' % key, b'"log":0,')
    return NdjsonInsert(insert.table, body)


def count_rows(records: Sequence[Record]) -> int:
    """Rows in packed records: from their `rows` header, else by counting lines."""
    return sum([_rows(record) for record in records])


def _rows(record: Record) -> int:
    for name, value in record.headers:
        if name == ROWS and value.isdigit():
            return int(value)
    return (record.value or b"").count(b"\n") + 1
