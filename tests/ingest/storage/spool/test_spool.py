"""The spool on disk: order, bounds, locks, torn writes, dead processes, full disks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.admission.record import Record
from ingest.storage.spool.file import SpoolFile
from ingest.storage.spool.limits import SpoolLimits, SpoolStatus, why_full
from ingest.storage.spool.store import SpoolStore
from runtime.file_lock import Locked
from sori.errors import StorageUnavailable

LIMITS = SpoolLimits(10_000_000, 3_600_000, 0)


def record(number: int, value: bytes = b"{}") -> Record:
    return Record("t.events", b"k%d" % (number % 3), value, 1_000 + number, [("identity", b"%d" % number)])


def numbers(records: list[Record]) -> list[int]:
    return [int(dict(r.headers)["identity"]) for r in records]


def store(tmp_path: Path, limits: SpoolLimits = LIMITS, now_ms: int = 2_000) -> SpoolStore:
    return SpoolStore(tmp_path / "spool", limits, lambda: now_ms)


def test_records_come_back_whole_and_in_order(tmp_path: Path) -> None:
    spool = store(tmp_path)
    first = [record(1, b"\x00\xff"), record(2)]
    spool.append(first)
    spool.append([record(3)])
    assert spool.peek(2) == first
    spool.drop(2)
    assert numbers(spool.peek(10)) == [3]
    spool.close()


@given(st.lists(st.one_of(st.integers(1, 5), st.integers(-5, -1), st.just(0)), max_size=30))
@settings(max_examples=30, deadline=None)
def test_any_mix_of_appends_drops_and_restarts_keeps_first_in_first_out(steps: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        spool, expected, number = store(Path(folder)), [], 0
        for step in steps:
            if step > 0:
                batch = [record(number + i) for i in range(step)]
                number += step
                spool.append(batch)
                expected += batch
            elif step < 0:
                got = spool.peek(-step)
                assert got == expected[: len(got)]
                spool.drop(len(got))
                expected = expected[len(got) :]
            else:
                spool.close()
                spool = store(Path(folder))
            status = spool.status()
            assert status.pending == len(expected)
            assert status.bytes == sum(r.size for r in expected)
        spool.close()


def test_what_comes_after_the_spool_was_emptied_is_not_taken_for_done(tmp_path: Path) -> None:
    spool = store(tmp_path)
    for number in range(3):
        spool.append([record(number)])
        assert numbers(spool.peek(10)) == [number]
        spool.drop(1)
    spool.close()


def test_an_empty_spool_leaves_no_file_behind(tmp_path: Path) -> None:
    spool = store(tmp_path)
    spool.append([record(1)])
    spool.peek(1)
    spool.drop(1)
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_living_process_keeps_its_file_and_a_dead_one_leaves_it_to_others(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from ingest.storage.spool.store import SpoolStore;"
        "from ingest.storage.spool.limits import SpoolLimits; from ingest.admission.record import Record;"
        "s = SpoolStore(Path(sys.argv[1]), SpoolLimits(10**9, 10**9, 0));"
        "s.append([Record('t', b'k', b'v', 1, [('identity', b'7')])]); print('written', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "spool")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"written\n"
        ours = store(tmp_path)
        assert ours.status().pending == 0
        assert ours.adopt() == 0
        other.kill()
        other.wait()
        assert ours.adopt() == 1
    assert numbers(ours.peek(10)) == [7]
    ours.append([record(8)])
    ours.drop(1)
    assert numbers(ours.peek(10)) == [8]
    ours.drop(1)
    ours.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_file_is_locked_against_a_second_opener(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "a.sqlite")
    with pytest.raises(Locked):
        SpoolFile(tmp_path / "a.sqlite")
    file.close()


def crashed_copy(tmp_path: Path, spool: SpoolStore) -> Path:
    """What a power cut would leave: the files as they are now, locked by nobody."""
    target = tmp_path / "after-crash"
    shutil.copytree(tmp_path / "spool", target, ignore=shutil.ignore_patterns("*.lock"))
    spool.close()
    return target


@pytest.mark.parametrize("cut", [1, 100, 3_000])
def test_a_torn_last_write_costs_at_most_that_write(tmp_path: Path, cut: int) -> None:
    spool = store(tmp_path)
    for number in range(20):
        spool.append([record(number, b"x" * 500)])
    folder = crashed_copy(tmp_path, spool)
    (log,) = folder.glob("*.sqlite-wal")
    with log.open("ab") as file:
        file.write(os.urandom(cut))  # a commit that never finished
    after = SpoolStore(folder, LIMITS, lambda: 2_000)
    assert numbers(after.peek(100)) == list(range(20))
    after.close()


@given(st.integers(0, 60_000))
@settings(max_examples=25, deadline=None)
def test_a_log_cut_anywhere_still_gives_a_prefix_in_order(cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        tmp_path = Path(name)
        spool = store(tmp_path)
        for number in range(10):
            spool.append([record(number, b"x" * 300)])
        folder = crashed_copy(tmp_path, spool)
        (log,) = folder.glob("*.sqlite-wal")
        os.truncate(log, min(cut, log.stat().st_size))
        after = SpoolStore(folder, LIMITS, lambda: 2_000)
        found = numbers(after.peek(100))
        assert found == list(range(len(found)))
        after.close()


def test_a_file_that_is_no_database_is_set_aside_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "old.sqlite").write_bytes(b"this is not a database, but someone may want it" * 100)
    spool = store(tmp_path)
    spool.append([record(1)])
    assert numbers(spool.peek(10)) == [1]
    assert (folder / "old.corrupt").read_bytes().startswith(b"this is not")
    spool.close()


def test_damage_in_the_middle_is_set_aside_when_it_is_read(tmp_path: Path) -> None:
    spool = store(tmp_path)
    spool.append([record(number, b"x" * 900) for number in range(200)])
    spool.close()
    (file,) = (tmp_path / "spool").glob("*.sqlite")
    raw = bytearray(file.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 2_000] = os.urandom(2_000)
    file.write_bytes(raw)
    after = store(tmp_path)
    after.append([record(500)])
    while records := after.peek(50):
        after.drop(len(records))
    assert list((tmp_path / "spool").glob("*.corrupt"))
    after.close()


def test_a_parked_record_waits_for_the_next_process(tmp_path: Path) -> None:
    spool = store(tmp_path)
    spool.append([record(1), record(2)])
    spool.peek(1)
    spool.park()
    assert (spool.status().pending, spool.status().parked) == (1, 1)
    assert numbers(spool.peek(10)) == [2]
    spool.drop(1)
    assert spool.status().pending == 0
    spool.close()
    again = store(tmp_path)
    assert numbers(again.peek(10)) == [1]
    again.drop(1)
    again.close()


def test_an_emptied_large_file_gives_its_space_back(tmp_path: Path) -> None:
    spool = store(tmp_path, SpoolLimits(10**9, 10**9, 0))
    for number in range(20):
        spool.append([record(number, b"x" * 1_000_000)])
    while records := spool.peek(5):
        spool.drop(len(records))
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) < 100_000
    spool.append([record(99)])
    assert numbers(spool.peek(5)) == [99]
    spool.drop(1)
    spool.close()


class BrokenDisk:
    """A file that cannot be written to."""

    def __init__(self, file: SpoolFile) -> None:
        self._db = file._db
        self.broken = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def execute(self, sql: str, *rest: object) -> object:
        if self.broken and sql == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(sql, *rest)


def test_a_disk_that_fails_refuses_and_recovers_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    spool = store(tmp_path)
    spool.append([record(1)])
    disk = BrokenDisk(spool._own)
    spool._own._db = disk  # type: ignore[assignment]
    with pytest.raises(StorageUnavailable, match="disk"):
        spool.append([record(2)])
    assert spool.status().full.startswith("disk:")
    with pytest.raises(StorageUnavailable):
        spool.probe()
    assert numbers(spool.peek(10)) == [1]
    spool.drop(1)  # the delete fails: only memory knows
    assert spool.peek(10) == []
    disk.broken = False
    spool.probe()
    assert spool.status().full == ""
    spool.append([record(3)])
    assert numbers(spool.peek(10)) == [3]
    spool.drop(1)
    spool.close()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(StorageUnavailable, match="spool"):
        store(tmp_path)


@pytest.mark.parametrize(
    ("held", "more", "free", "now_ms", "full"),
    [
        (SpoolStatus(), 10, 1_000, 0, False),
        (SpoolStatus(5, 95, 0), 5, 1_000, 0, False),
        (SpoolStatus(5, 95, 0), 6, 1_000, 0, True),
        (SpoolStatus(), 10, 59, 0, True),
        (SpoolStatus(1, 1, 1_000), 1, 1_000, 2_000, False),
        (SpoolStatus(1, 1, 1_000), 1, 1_000, 2_001, True),
    ],
)
def test_bytes_age_and_disk_are_bounds(held: SpoolStatus, more: int, free: int, now_ms: int, full: bool) -> None:
    limits = SpoolLimits(100, 1_000, 50)
    assert bool(why_full(limits, held, more_bytes=more, free_bytes=free, now_ms=now_ms)) is full
