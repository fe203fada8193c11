"""What sources give: every record once, in offset order per partition, with marks that hold what they say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.errors import ConfigError
from streams.backtest.history import Batch, Entry, Mark, Span
from streams.backtest.ndjson import NdjsonHistory
from streams.backtest.parquet import ParquetHistory
from streams.backtest.schedule import Cutter, Sequencer
from streams.backtest.stretches import Rows, stretches
from streams.place_panes import RollUp

T0 = 1_760_419_200_000


def entries(times: Iterable[int]) -> list[Entry]:
    """One partition's records, by times of receipt in seconds."""
    return [Entry(offset, T0 + second * 1000, b"{}", ()) for offset, second in enumerate(times)]


def check(steps: Iterable[Batch | Mark], wanted: dict[int, list[Entry]]) -> None:
    """Everything once and in order; before a mark, all up to the first record received at it or later."""
    given_: dict[int, list[Entry]] = {number: [] for number in wanted}
    done = 0.0
    for step in steps:
        if isinstance(step, Batch):
            given_[step.partition].extend(step.records)  # type: ignore[arg-type]
            continue
        assert step.done >= done
        done = step.done
        for number, records in wanted.items():
            at = next((i for i, entry in enumerate(records) if entry.timestamp >= step.until_ms), len(records))
            assert len(given_[number]) == at
    assert given_ == wanted
    assert done == 1.0


partitions = st.dictionaries(st.integers(0, 3), st.lists(st.integers(0, 400), min_size=1, max_size=30), min_size=1)


@given(partitions)
def test_stretches_give_everything_in_order(parts):
    """Whatever the order of receipt, silences included."""
    wanted = {number: entries(times) for number, times in parts.items()}
    rows = {
        number: Rows([entry.timestamp for entry in made], lambda a, b, made=made: made[a:b])
        for number, made in wanted.items()
    }
    check(stretches(rows, 0.0, 1.0), wanted)


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
    from streams.backtest.history import Flush

    def row(source: int, clicks: int, version: int) -> RollUp:
        return RollUp(0, "acc", source, version, clicks=clicks)

    order = [Flush(0, 0, 1, 7), Flush(0, 1, 0, 9), Flush(0, 2, 5, 3)]
    made = Sequencer(order, {0: 0, 1: 0})
    made.add(0, 4, 0, [row(0, 1, 4)])
    made.add(0, 9, 0, [row(0, 2, 9)])
    assert list(made.take()) == []
    made.add(1, 7, 0, [row(1, 1, 7)])
    assert list(made.take()) == [[row(1, 1, 7)], [row(0, 2, 9)]]
