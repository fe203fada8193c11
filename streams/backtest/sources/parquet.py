"""History from Parquet files as `sori export` writes them: one file, or a folder of one per hour of receipt.

An export lies by partition and offset: it is read piece by piece, one partition after the other, and a mark follows
each file. A file in another order is sorted in memory first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sori.errors import ConfigError
from streams.backtest.sources.flush_file import with_flushes
from streams.backtest.sources.history import BATCH, Batch, Entry, Facts, Mark, Run, Span, entries_of

#: How far times of receipt may be out of order within a partition: several ingest processes write it.
DISORDER_MS = 60_000
_MINUTE_MS = 60_000
_PLACE = ["kafka_partition", "kafka_offset", "received_ms"]
_COLUMNS = [*_PLACE, "raw", "header_identity"]
#: In exports of today: the repaired form of events that are not plain, which is read instead of the raw body.
_CANONICAL = "canonical"
_BY_OFFSET = [("kafka_partition", "ascending"), ("kafka_offset", "ascending")]


class _Seen(NamedTuple):
    """What a file holds of a span: times of receipt, first offsets and counts by partition, whether it is sorted."""

    path: Path
    oldest_ms: int
    newest_ms: int
    starts: Mapping[int, int]
    sizes: Mapping[int, int]
    in_order: bool


class ParquetHistory:
    """A file, or a folder of files in the order of their names; `flushes*.parquet` beside them are used too."""

    def __init__(self, path: Path) -> None:
        self._folder = path if path.is_dir() else path.parent
        self._paths = sorted(path.glob("events-*.parquet")) if path.is_dir() else [path]
        if not self._paths:
            raise ConfigError(f"no events-*.parquet in {path}; `sori export` writes them")
        self._surveyed: Span | None = None
        self._files: list[_Seen] = []
        self._partitions: frozenset[int] | None = None

    def estimate(self) -> int:
        """By the files' own counts."""
        return sum(_opened(path, _PLACE).metadata.num_rows for path in self._paths)

    def survey(self, span: Span, run: Run) -> None:
        """Reads places and times of every file."""
        seen: list[_Seen | None] = list(run(_see, [(path, span) for path in self._paths]))
        self._files, self._surveyed = [one for one in seen if one is not None], span

    def facts(self, span: Span) -> Facts:
        """Surveys the files, if that has not been done."""
        if self._surveyed != span:
            self.survey(span, lambda function, given: [function(one) for one in given])
        starts: dict[int, int] = {}
        sizes: Counter[int] = Counter()
        for file in self._files:
            sizes.update(file.sizes)
            for number, offset in file.starts.items():
                starts[number] = min(offset, starts.get(number, offset))
        begin = min((file.oldest_ms for file in self._files), default=0)
        end = max((file.newest_ms for file in self._files), default=0)
        return with_flushes(self._folder, Facts(begin, starts, sizes=sizes, end_ms=end))

    def part(self, partitions: frozenset[int]) -> ParquetHistory:
        """Some partitions, with the marks of all."""
        made = ParquetHistory(self._folder if len(self._paths) > 1 else self._paths[0])
        made._surveyed, made._files, made._partitions = self._surveyed, self._files, partitions
        return made

    def read(self, span: Span) -> Iterator[Batch | Mark]:
        """Everything in the span.

        What was received shortly before a file's end is held back: the next file may hold rows that lie before it.
        """
        self.facts(span)
        held: dict[int, Any] = {}
        until_ms = 0
        for number, file in enumerate(self._files):
            last = number + 1 == len(self._files)
            early_ms = (file.newest_ms - DISORDER_MS) // _MINUTE_MS * _MINUTE_MS
            until_ms = max(until_ms, file.newest_ms + 1 if last else early_ms)
            before, held = held, {}
            for partition, rows in self._joined(before, file, span):
                cut = rows.num_rows if partition not in held else 0
                if cut and pc.max(rows["received_ms"]).as_py() >= until_ms:
                    cut = next(at for at, ms in enumerate(rows["received_ms"].to_pylist()) if ms >= until_ms)
                for at in range(0, cut, BATCH):
                    yield Batch(partition, _entries(rows.slice(at, min(BATCH, cut - at))))
                if cut < rows.num_rows:
                    late = [rows.slice(cut)]
                    held[partition] = pa.concat_tables([held[partition], *late] if partition in held else late)
            yield Mark(until_ms)

    def _joined(self, held: Mapping[int, Any], file: _Seen, span: Span) -> Iterator[tuple[int, Any]]:
        """Rows held and those of the file, partition by partition in the order of offsets."""
        waiting = dict(held)
        together: list[Any] = []
        for partition, rows in self._rows(file, span):
            first = waiting.get(partition)
            if first is None:
                yield partition, rows
            elif first["kafka_offset"][-1].as_py() < file.starts[partition]:
                yield partition, waiting.pop(partition)
                yield partition, rows
            else:
                together.append(rows)
        mixed = {rows["kafka_partition"][0].as_py() for rows in together}
        for partition, rows in waiting.items():
            if partition not in mixed:
                yield partition, rows
        if together:
            table = pa.concat_tables([*together, *(waiting[partition] for partition in sorted(mixed))])
            yield from _by_partition(table.sort_by(_BY_OFFSET))

    def _rows(self, file: _Seen, span: Span) -> Iterator[tuple[int, Any]]:
        """A file's rows, piece by piece, those of other partitions left out."""
        opened = _opened(file.path, _COLUMNS)
        try:
            columns = [*_COLUMNS, *({_CANONICAL} & set(opened.schema_arrow.names))]
            if not file.in_order:
                table = opened.read(columns, use_threads=False).sort_by(_BY_OFFSET)
                tables = iter([table])
            else:
                batches = opened.iter_batches(BATCH, columns=columns, use_threads=False)
                tables = (pa.Table.from_batches([batch]) for batch in batches)
            for table in tables:
                within = _within(_meant(table.select(columns).cast(_schema(columns))), span)
                for partition, rows in _by_partition(within):
                    if self._partitions is None or partition in self._partitions:
                        yield partition, rows
        except (OSError, pa.ArrowException) as error:
            raise ConfigError(f"cannot read {file.path}: {error}") from error


def _see(given: tuple[Path, Span]) -> _Seen | None:
    """None: nothing of the span is in it."""
    path, span = given
    table = _within(_read(path, _PLACE), span)
    if not table.num_rows:
        return None
    least = table.group_by("kafka_partition").aggregate([("kafka_offset", "min"), ("kafka_offset", "count")])
    starts = dict(zip(least["kafka_partition"].to_pylist(), least["kafka_offset_min"].to_pylist(), strict=True))
    sizes = dict(zip(least["kafka_partition"].to_pylist(), least["kafka_offset_count"].to_pylist(), strict=True))
    times = pc.min_max(table["received_ms"]).as_py()
    return _Seen(path, times["min"], times["max"], starts, sizes, _in_order(table))


def _in_order(table: Any) -> bool:
    """Whether rows lie by partition and offset."""
    numbers, offsets = (table[name].combine_chunks() for name in ("kafka_partition", "kafka_offset"))
    count = len(numbers) - 1
    moved = pc.greater(numbers.slice(1), numbers.slice(0, count))
    same = pc.equal(numbers.slice(1), numbers.slice(0, count))
    on = pc.greater_equal(offsets.slice(1), offsets.slice(0, count))
    return pc.all(pc.or_(moved, pc.and_(same, on))).as_py() is not False


def _opened(path: Path, columns: list[str]) -> Any:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise ConfigError(f"{path}: no column {', '.join(missing)}; `sori export` writes such files")
    return file


def _read(path: Path, columns: list[str]) -> Any:
    try:
        table = _opened(path, columns).read(columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return table.select(columns).cast(_schema(columns))


def _meant(table: Any) -> Any:
    """The columns as every export has them, `raw` being what is to be read."""
    if _CANONICAL not in table.column_names:
        return table
    canonical = table[_CANONICAL]
    body = pc.if_else(pc.greater(pc.binary_length(canonical), 0), canonical, table["raw"])
    return table.set_column(table.column_names.index("raw"), "raw", body).drop_columns([_CANONICAL])


def _schema(columns: list[str]) -> Any:
    bytes_in = ("raw", "header_identity", _CANONICAL)
    return pa.schema([(name, pa.binary() if name in bytes_in else pa.int64()) for name in columns])


def _within(table: Any, span: Span) -> Any:
    if span.from_ms is not None:
        table = table.filter(pc.field("received_ms") >= span.from_ms)
    if span.to_ms is not None:
        table = table.filter(pc.field("received_ms") < span.to_ms)
    return table


def _by_partition(table: Any) -> Iterator[tuple[int, Any]]:
    """Runs of one partition in a table that lies by partition."""
    numbers = table["kafka_partition"].to_pylist()
    begin = 0
    while begin < len(numbers):
        end = bisect_right(numbers, numbers[begin], begin)
        yield numbers[begin], table.slice(begin, end - begin)
        begin = end


def _entries(rows: Any) -> list[Entry]:
    return entries_of(*(rows[name].to_pylist() for name in _COLUMNS[1:]))
