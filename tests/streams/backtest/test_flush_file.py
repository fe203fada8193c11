"""Flush points beside an export: what is kept comes back, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sori.errors import ConfigError
from streams.backtest.sources.flush_file import with_flushes, write_flushes
from streams.backtest.sources.history import Facts, Flush

NOTHING = Facts(0, {})
flushes = st.lists(
    st.builds(Flush, st.integers(0, 3), st.integers(0, 99), st.integers(0, 2), st.integers(0, 2**60)),
    unique_by=lambda flush: (flush.partition, flush.offset),
)


@settings(deadline=None)
@given(kept=flushes, cut=st.integers(0, 20), whole=st.booleans())
def test_overlapping_exports_are_one(tmp_path_factory: pytest.TempPathFactory, kept, cut, whole):
    """In the order of offsets; of the records of one flush, the first."""
    folder = tmp_path_factory.mktemp("export")
    kept = sorted(kept, key=lambda flush: (flush.partition, flush.offset))
    write_flushes(folder, Facts(0, {}, kept, whole, 6), 1_000)
    write_flushes(folder, Facts(0, {}, kept[cut:], all_flushes=False, place_partitions=6), 2_000)
    found = with_flushes(folder, NOTHING)
    told = [(flush.partition, flush.source, flush.version) for flush in kept]
    assert list(dict.fromkeys((f.partition, f.source, f.version) for f in found.flushes)) == list(dict.fromkeys(told))
    assert (found.all_flushes, found.place_partitions) == ((whole, 6) if kept else (False, NOTHING.place_partitions))


def test_nothing_known_writes_nothing_and_a_torn_file_is_an_error(tmp_path: Path):
    """The error names the file."""
    assert write_flushes(tmp_path, NOTHING, 0) is None
    assert with_flushes(tmp_path, NOTHING) == NOTHING
    (tmp_path / "flushes-torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"flushes-torn\.parquet"):
        with_flushes(tmp_path, NOTHING)
