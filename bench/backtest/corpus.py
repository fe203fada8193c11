"""The events of `make bench-streams` as files that `sori backtest` reads."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka.partitioner import murmur2

from bench.streams.corpus import deliveries

PARTITIONS = 6
_NAMES = ("kafka_partition", "kafka_offset", "received_ms", "raw", "header_identity")
#: As ClickHouse writes them.
_ROW_GROUP = 1_000_000
_Row = tuple[int, int, int, bytes, bytes]


def write(folder: Path, events: int, per_second: int) -> list[Path]:
    """One Parquet file as `sori export` writes it, its rows as JSON lines in the order of receipt, and bodies alone."""
    parquet, rows, bodies = (folder / name for name in ("events.parquet", "rows.ndjson", "bodies.ndjson"))
    offsets = [0] * PARTITIONS
    made: list[_Row] = []
    with rows.open("wb") as row_file, bodies.open("wb") as body_file:
        for one in deliveries(events, per_second):
            number = (murmur2(one.key) & 0x7FFFFFFF) % PARTITIONS
            row = (number, offsets[number], one.time_ms, one.body, one.headers[5][1])
            offsets[number] += 1
            made.append(row)
            plain = {**dict(zip(_NAMES, row, strict=True)), "raw": row[3].decode(), "header_identity": row[4].decode()}
            row_file.write(orjson.dumps(plain) + b"\n")
            body_file.write(one.body + b"\n")
    made.sort(key=lambda row: row[:2])
    columns = [pa.array(column) for column in zip(*made, strict=True)]
    table = pa.table(dict(zip(_NAMES, columns, strict=True)))
    pq.write_table(table, parquet, compression="zstd", row_group_size=_ROW_GROUP)
    return [parquet, rows, bodies]
