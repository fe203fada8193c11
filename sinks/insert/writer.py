"""Executes inserts on one ClickHouse client. Blocking: call it in a thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.compression import get_compressor

from runtime.clickhouse.client import is_embedded
from sinks.builders.inserts import ColumnarInsert, EncodedInsert, Insert, NdjsonInsert
from sinks.insert.failures import Unavailable, classify
from sinks.insert.native import encode_block
from sori.errors import SoriError

#: A block is either stored whole or not at all, and its token recognises it when it comes again.
SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "wait_end_of_query": 1,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # one block per insert, whatever its size: several would be deduplicated one by one
    "max_insert_block_size": 10_000_000,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 0,
    "input_format_parallel_parsing": 0,
    "max_insert_threads": 1,
    # collapsing versions is the merges' work; here it would double the cost of an insert
    "optimize_on_insert": 0,
    # one odd clock must not fail a block: created_at is the partition key
    "max_partitions_per_insert_block": 0,
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    "input_format_json_read_objects_as_strings": 1,
}


class Writer:
    """Owns a client and opens it again after a failure.

    `insert` is atomic per call and month, and idempotent within the table's deduplication window: same token, same
    rows, stored once. But ClickHouse writes the token down before the rows appear: after a crash in between, the token
    is known and the rows are not there: whoever repeats an insert has to look whether they are. A crash between a table
    and its views leaves the views without them: a repeated insert reaches those, also where the table knows the token.
    What ClickHouse keeps of a token hangs on the view that fills the table: after `MODIFY QUERY` it is another hash,
    and once more when the server starts again. A block repeated across that is stored twice, as equal rows, which
    merges and FINAL make one; so every table behind a view must be one that merges equal rows.
    """

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open_client = open_client
        self._client: Client | None = None

    def insert(self, insert: Insert, token: str | None) -> None:
        """Store one block; without a token, whatever was stored before. Raises InsertFailure of any kind."""
        known = {"insert_deduplicate": 0} if token is None else {"insert_deduplication_token": token}
        store = _WAYS[type(insert)]
        self._guarded(lambda client: store(client, insert, {**SETTINGS, **known}))

    def count(self, sql: str) -> int:
        """The number that a counting query returns. Raises InsertFailure of any kind."""
        return int(self._guarded(lambda client: client.command(sql)))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query returns. Raises InsertFailure of any kind."""
        return list(self._guarded(lambda client: client.query(sql).result_rows))

    def execute(self, sql: str) -> None:
        """Run a statement. Raises InsertFailure of any kind."""
        self._guarded(lambda client: client.command(sql))

    def _guarded(self, action: Callable[[Client], Any]) -> Any:
        client = self._connected()
        try:
            return action(client)
        except Exception as error:
            failure = classify(error)
            if isinstance(failure, Unavailable):
                self.close()  # a broken client must not outlive the trouble
            raise failure from error

    def ping(self) -> bool:
        """Whether the server answers now."""
        try:
            return bool(self._connected().ping())
        except Unavailable:
            return False

    def close(self) -> None:
        """Close the client; the next call opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = self._open_client()
            except SoriError as error:
                raise Unavailable(str(error)) from error
        return self._client


def _insert_columns(client: Client, insert: Any, settings: dict[str, Any]) -> None:
    block = encode_block(insert.names, insert.types, insert.columns)
    raw, method = _compressed(client, block)
    client.raw_insert(insert.table, insert.names, raw, settings=settings, fmt="Native", compression=method)


def _insert_encoded(client: Client, insert: Any, settings: dict[str, Any]) -> None:
    if is_embedded(client):  # written to a file as they are: putting them together first would copy all of it
        client.raw_insert(insert.table, insert.names, iter(insert.pieces), settings=settings, fmt="Native")
        return
    raw, method = _compressed(client, b"".join(insert.pieces))
    client.raw_insert(insert.table, insert.names, raw, settings=settings, fmt="Native", compression=method)


def _insert_ndjson(client: Client, insert: Any, settings: dict[str, Any]) -> None:
    raw, method = _compressed(client, insert.body)
    client.raw_insert(insert.table, insert_block=raw, settings=settings, fmt="JSONEachRow", compression=method)


def _compressed(client: Client, body: bytes | bytearray) -> tuple[Any, str | None]:
    """As the client was opened: not for the embedded engine, nor for a server on this machine."""
    if not client.write_compression:
        return body, None
    compressor: Any = get_compressor(client.write_compression)
    return bytes(compressor.compress_block(body)) + (compressor.flush() or b""), client.write_compression


_WAYS: dict[type[Insert], Callable[[Client, Any, dict[str, Any]], None]] = {
    ColumnarInsert: _insert_columns,
    EncodedInsert: _insert_encoded,
    NdjsonInsert: _insert_ndjson,
}
