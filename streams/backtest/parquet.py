"""History from Parquet files as `sori export` writes them: one file, or a folder of one per hour of receipt.

One file is held in memory at a time, as Arrow columns; Python objects are made of a stretch at a time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sori.errors import ConfigError
from streams.backtest.history import Batch, Entry, Facts, Flush, Mark, Span, entries_of
from streams.backtest.stretches import DISORDER_MS, STRETCH_MS, Rows, stretches

_PLACE = ["kafka_partition", "kafka_offset", "received_ms"]
_COLUMNS = [*_PLACE, "raw", "header_identity"]
_FLUSHES = ["kafka_partition", "kafka_offset", "source_partition", "version"]


class ParquetHistory:
    """A file, or a folder of files in the order of their names; `flushes*.parquet` beside them are used too."""

    def __init__(self, path: Path) -> None:
        self._folder = path if path.is_dir() else path.parent
        self._files = sorted(path.glob("events-*.parquet")) if path.is_dir() else [path]
        if not self._files:
            raise ConfigError(f"no events-*.parquet in {path}; `sori export` writes them")

    def facts(self, span: Span) -> Facts:
        """Reads places and times only."""
        starts: dict[int, int] = {}
        first = []
        for file in self._files:
            table = _within(_read(file, _PLACE), span)
            if not table.num_rows:
                continue
            first.append(pc.min(table["received_ms"]).as_py())
            least = table.group_by("kafka_partition").aggregate([("kafka_offset", "min")])
            for row in least.to_pylist():
                number, offset = row["kafka_partition"], row["kafka_offset_min"]
                starts[number] = min(offset, starts.get(number, offset))
        return Facts(min(first, default=0), starts, self._flushes())

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span."""
        held = _empty()
        for number, file in enumerate(self._files):
            table = pa.concat_tables([held, _within(_read(file, _COLUMNS), span)])
            held = _empty()
            if number + 1 < len(self._files) and table.num_rows:
                table, held = _hold_back(table)
            yield from stretches(_parts(table), number / len(self._files), 1 / len(self._files))

    def _flushes(self) -> list[Flush]:
        tables = [_read(file, _FLUSHES) for file in sorted(self._folder.glob("flushes*.parquet"))]
        if not tables:
            return []
        table = pa.concat_tables(tables).sort_by([("kafka_partition", "ascending"), ("kafka_offset", "ascending")])
        columns = [table[name].to_pylist() for name in _FLUSHES]
        return [Flush(*row) for row in zip(*columns, strict=True)]


def _read(file: Path, columns: list[str]) -> Any:
    try:
        held = pq.read_schema(file).names
        missing = [name for name in columns if name not in held]
        if missing:
            raise ConfigError(f"{file}: no column {', '.join(missing)}; `sori export` writes such files")
        table = pq.read_table(file, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    return table.select(columns).cast(_schema(columns))


def _empty() -> Any:
    return _schema(_COLUMNS).empty_table()


def _schema(columns: list[str]) -> Any:
    bytes_in = ("raw", "header_identity")
    return pa.schema([(name, pa.binary() if name in bytes_in else pa.int64()) for name in columns])


def _within(table: Any, span: Span) -> Any:
    if span.from_ms is not None:
        table = table.filter(pc.field("received_ms") >= span.from_ms)
    if span.to_ms is not None:
        table = table.filter(pc.field("received_ms") < span.to_ms)
    return table


def _hold_back(table: Any) -> tuple[Any, Any]:
    """Without the newest rows, and those: the next file may hold rows that lie before them in their partition."""
    newest = pc.max(table["received_ms"]).as_py()
    late = pc.field("received_ms") >= (newest - DISORDER_MS) // STRETCH_MS * STRETCH_MS
    return table.filter(~late), table.filter(late)


def _parts(table: Any) -> Mapping[int, Rows]:
    table = table.sort_by([("kafka_partition", "ascending"), ("kafka_offset", "ascending")]).combine_chunks()
    numbers = table["kafka_partition"].to_pylist()
    found: dict[int, Rows] = {}
    begin = 0
    while begin < len(numbers):
        end = bisect_right(numbers, numbers[begin], begin)
        found[numbers[begin]] = _rows(table.slice(begin, end - begin))
        begin = end
    return found


def _rows(part: Any) -> Rows:
    def make(begin: int, end: int) -> list[Entry]:
        rows = part.slice(begin, end - begin)
        return entries_of(*(rows[name].to_pylist() for name in _COLUMNS[1:]))

    return Rows(part["received_ms"].to_pylist(), make)
