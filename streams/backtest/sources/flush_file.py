"""When workers flushed, kept beside exported events: the roll-up topic, which tells it, lives for two days only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from sori.errors import ConfigError
from streams.backtest.sources.history import Facts, Flush

_COLUMNS = ("kafka_partition", "kafka_offset", "source_partition", "version")
_WHOLE, _PARTITIONS = b"sori.all_flushes", b"sori.place_partitions"


def write_flushes(folder: Path, facts: Facts, now_ms: int) -> Path | None:
    """Write the flushes that `facts` knows as one more file; None where it knows none."""
    if not facts.flushes:
        return None
    firsts: dict[tuple[int, int, int], Flush] = {}
    for flush in facts.flushes:
        firsts.setdefault((flush.partition, flush.source, flush.version), flush)  # a flush may be several records
    rows = [(flush.partition, flush.offset, flush.source, flush.version) for flush in firsts.values()]
    columns = [pa.array(column, pa.int64()) for column in zip(*rows, strict=True)]
    known = {_WHOLE: orjson.dumps(facts.all_flushes), _PARTITIONS: orjson.dumps(facts.place_partitions)}
    path = folder / f"flushes-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%S}.parquet"
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table(columns, names=list(_COLUMNS)).replace_schema_metadata(known), partial, compression="zstd")
    partial.replace(path)
    return path


def with_flushes(folder: Path, facts: Facts) -> Facts:
    """`facts` with what the files of a folder know, each flush once. Raises ConfigError for a file that is none."""
    found: set[tuple[int, ...]] = set()
    whole, partitions = facts.all_flushes, facts.place_partitions
    for path in sorted(folder.glob("flushes*.parquet")):
        rows, known = _read(path)
        found.update(rows)
        whole = whole or bool(orjson.loads(known.get(_WHOLE, b"false")))
        partitions = max(partitions, orjson.loads(known.get(_PARTITIONS, b"0")))
    flushes = [Flush(*row) for row in sorted(found)]
    return replace(facts, flushes=flushes, all_flushes=whole, place_partitions=partitions) if flushes else facts


def _read(path: Path) -> tuple[Sequence[tuple[int, ...]], dict[bytes, bytes]]:
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
        columns = [table[name].to_pylist() for name in _COLUMNS]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return list(zip(*columns, strict=True)), dict(table.schema.metadata or {})
