"""What sources give: every record once, in offset order per partition, with marks that hold what they say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import ConfigError
from streams.backtest.flush_schedule import Cutter, Sequencer
from streams.backtest.sources.history import Batch, Entry, Mark, Span
from streams.backtest.sources.ndjson import NdjsonHistory
from streams.backtest.sources.parquet import ParquetHistory

T0 = 1_760_419_200_000


def entries(times: Iterable[int]) -> list[Entry]:
    """One partition's records, by times of receipt in seconds."""
    return [Entry(offset, T0 + second * 1000, b"{}", ()) for offset, second in enumerate(times)]


def check(steps: Iterable[Batch | Mark], wanted: dict[int, list[Entry]]) -> list[int]:
    """Everything once and in order; before a mark, all up to the first record received at it or later. The marks."""
    found: dict[int, list[Entry]] = {number: [] for number in wanted}
    marks: list[int] = []
    for step in steps:
        if isinstance(step, Batch):
            found[step.partition].extend(step.records)  # type: ignore[arg-type]
            continue
        assert not marks or step.until_ms > marks[-1]
        marks.append(step.until_ms)
        for number, records in wanted.items():
            at = next((i for i, entry in enumerate(records) if entry.timestamp >= step.until_ms), len(records))
            assert len(found[number]) == at
    assert found == wanted
    return marks


def rows_file(path: Path, parts: dict[int, list[Entry]]) -> NdjsonHistory:
    """Rows of an export as JSON lines, in the order of receipt, with blank lines and spaces between them."""
    rows = sorted((entry.timestamp, number, entry) for number, made in parts.items() for entry in made)
    lines = [
        orjson.dumps(
            {
                "raw": entry.value.decode(),
                "kafka_partition": number,
                "kafka_offset": entry.offset,
                "received_ms": received,
            }
        )
        for received, number, entry in rows
    ]
    path.write_bytes(b"\n \n  ".join(lines))
    return NdjsonHistory(path, 4)


partitions = st.dictionaries(st.integers(0, 3), st.lists(st.integers(0, 400), min_size=1, max_size=30), min_size=1)


@given(partitions)
def test_json_lines_give_everything_in_order(tmp_path_factory, parts):
    """Whatever the order of receipt, silences included; and some partitions alone, with the marks of all."""
    wanted = {number: entries(times) for number, times in parts.items()}
    history = rows_file(tmp_path_factory.mktemp("lines") / "rows.ndjson", wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.backtest.sources.ndjson._BETWEEN_MARKS", 10)
        patch.setattr("streams.backtest.sources.ndjson._CHUNK_BYTES", 100)
        marks = check(history.read(Span()), wanted)
        assert history.facts(Span()).sizes == {number: len(made) for number, made in wanted.items()}
        for number, made in wanted.items():
            assert check(history.part(frozenset({number})).read(Span()), {number: made}) == marks


def write(path: Path, rows: list[tuple[int, Entry]]) -> None:
    """A file as `sori export` writes it."""
    table = {
        "raw": [entry.value.decode() for _, entry in rows],
        "received_ms": [entry.timestamp for _, entry in rows],
        "kafka_partition": pa.array([number for number, _ in rows], pa.int32()),
        "kafka_offset": [entry.offset for _, entry in rows],
        "header_identity": [f"id_{entry.offset}" for _, entry in rows],
    }
    pq.write_table(pa.table(table), path)


def test_hourly_files_join_where_receipt_and_offsets_disagree(tmp_path):
    """Two ingest processes write one partition: what was received before the hour may lie behind what came after."""
    made = entries([3500, 3590, 3601, 3599, 3602, 3700])
    early = [entry for entry in made if entry.timestamp < T0 + 3_600_000]
    late = [entry for entry in made if entry.timestamp >= T0 + 3_600_000]
    write(tmp_path / "events-20251014T05.parquet", [(0, entry) for entry in early])
    write(tmp_path / "events-20251014T06.parquet", [(0, entry) for entry in late])
    history = ParquetHistory(tmp_path)
    assert history.facts(Span()).starts == {0: 0}
    found = [e for step in history.read(Span()) if isinstance(step, Batch) for e in step.records]
    assert [entry.offset for entry in found] == [0, 1, 2, 3, 4, 5]
    assert found[3].headers[5] == ("identity", b"id_3")
    part = [e for s in history.read(Span(T0 + 3_600_000)) if isinstance(s, Batch) for e in s.records]
    assert [entry.offset for entry in part] == [2, 4, 5]


def test_what_is_held_back_for_the_next_file_stays_in_order(tmp_path):
    """Rows behind the first one that waits for the next file wait with it, or they would be taken for known ones."""
    made = {
        0: entries([3400, 3479, 3481, 3478, 3590, 3601, 3599, 3700]),
        1: entries([3410, 3420, 3650]),
        2: entries([3485, 3470]),
    }
    for hour, name in enumerate(("events-20251014T05.parquet", "events-20251014T06.parquet")):
        rows = [(n, entry) for n, of_n in made.items() for entry in of_n]
        write(tmp_path / name, [row for row in rows if (row[1].timestamp >= T0 + 3_600_000) == bool(hour)])
    history = ParquetHistory(tmp_path)
    read = history.read(Span())
    plain = [
        Batch(step.partition, [Entry(e.offset, e.timestamp, e.value, ()) for e in step.records])
        if isinstance(step, Batch)
        else step
        for step in read
    ]
    marks = check(plain, made)
    assert marks == [T0 + 3_480_000, T0 + 3_700_001]
    alone = list(history.part(frozenset({1})).read(Span()))
    assert [step for step in alone if isinstance(step, Mark)] == [Mark(ms) for ms in marks]
    assert {step.partition for step in alone if isinstance(step, Batch)} == {1}


def test_a_parquet_file_in_any_order_is_sorted(tmp_path):
    """Not every file comes from an export."""
    made = entries([5, 6, 7, 8])
    write(tmp_path / "x.parquet", [(1, made[2]), (0, made[1]), (1, made[0]), (0, made[0])])
    read = ParquetHistory(tmp_path / "x.parquet").read(Span())
    found = [(step.partition, entry.offset) for step in read if isinstance(step, Batch) for entry in step.records]
    assert found == [(0, 0), (0, 1), (1, 0), (1, 2)]


def test_what_is_no_export_is_told(tmp_path):
    """A folder without files, a file without columns, a line that is no event."""
    with pytest.raises(ConfigError, match="no events-"):
        ParquetHistory(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match="no column kafka_partition"):
        ParquetHistory(tmp_path / "x.parquet").facts(Span())
    (tmp_path / "x.ndjson").write_text("\n[1]\n")
    with pytest.raises(ConfigError, match="line 2"):
        NdjsonHistory(tmp_path / "x.ndjson", 3).facts(Span())


def test_flushes_fall_where_they_happened_and_else_each_interval():
    """Assumed before the first known flush and after the last one, never between them."""
    records = entries([0, 1, 2, 3, 4, 5, 6])
    assert [(cut.end, cut.version) for cut in Cutter([], 2000).cuts(records)] == [(2, None), (4, None), (6, None)]
    cuts = Cutter([3, 5], 1000).cuts(records)
    assert [(cut.end, cut.version) for cut in cuts if cut.version is not None] == [(3, 3), (5, 5)]
    assert {cut.end for cut in cuts if cut.version is None} <= {1, 2, 3, 5, 6}
    assert [cut.end for cut in Cutter([3, 5], 1000, 0).cuts(records) if cut.version is None and cut.end < 5] == []


def test_roll_ups_come_in_the_order_of_their_topic():
    """One waits for another source; what a flush did not bring comes with the next, newest counts only."""
    from streams.backtest.sources.history import Flush

    def row(source: int, clicks: int, version: int) -> bytes:
        made = {"pane_start": 0, "account_id": "acc", "source_partition": source, "version": version, "clicks": clicks}
        return orjson.dumps(made)

    order = [Flush(0, 0, 1, 7), Flush(0, 1, 0, 9), Flush(0, 2, 5, 3)]
    made = Sequencer(order, {0: 0, 1: 0})
    made.add(0, 4, 0, (row(0, 1, 4),))
    made.add(0, 9, 0, (row(0, 2, 9),))
    assert list(made.take()) == []
    made.add(1, 7, 0, (row(1, 1, 7), row(1, 1, 8)))
    assert list(made.take()) == [(row(1, 1, 7), row(1, 1, 8)), (row(0, 2, 9),)], "each record by itself, as it was sent"
