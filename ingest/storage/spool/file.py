"""One spool file: SQLite with a write-ahead log, each append fsynced (synchronous=FULL) before it returns.

A torn last write is cut off by SQLite's own checksums. The file is locked with flock on `<name>.lock`, so that what a
dead process left behind can be told from what a living one uses.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ingest.admission.record import Record
from runtime.file_lock import lock, sync_folder

SUFFIX = ".sqlite"
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: An emptied file beyond this is made anew, to give its space back.
_KEEP_BYTES = 16 * 1024 * 1024

# AUTOINCREMENT: an emptied table must not count from 1 again, below what is known as done
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    timestamp_ms INTEGER NOT NULL, headers BLOB NOT NULL, parked INTEGER NOT NULL DEFAULT 0)
"""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode


class SpoolFile:
    """First in, first out. Methods raise sqlite3.Error and OSError; after an error nothing of the call is kept."""

    def __init__(self, path: Path) -> None:
        """Open or create, and lock. Raises Locked."""
        self.path = path
        self._lock = lock(path.with_suffix(".lock"))
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            # exclusive: no shared-memory file, which could not grow on a full disk
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
            # parked records get another chance with every process: the topic may have been mended
            self._db.execute("UPDATE records SET parked = 0 WHERE parked = 1")
            row = self._db.execute("SELECT count(*), total(length(key) + length(value)) FROM records").fetchone()
        except BaseException:
            self._db.close()
            raise
        sync_folder(self.path.parent)
        self.pending, self.bytes, self.parked = int(row[0]), int(row[1]), 0
        self._done = 0
        self._peeked: list[tuple[int, int]] = []

    def append(self, records: Sequence[Record]) -> None:
        """Add records; they are on the disk when this returns, all or none."""
        rows = [(r.topic, r.key, r.value, r.timestamp_ms, _encode(r.headers)) for r in records]
        with _transaction(self._db):
            self._db.executemany(
                "INSERT INTO records (topic, key, value, timestamp_ms, headers) VALUES (?, ?, ?, ?, ?)", rows
            )
        self.pending += len(records)
        self.bytes += sum(record.size for record in records)

    def peek(self, limit: int) -> list[Record]:
        """The oldest `limit` records."""
        rows = self._db.execute(
            "SELECT seq, topic, key, value, timestamp_ms, headers FROM records "
            "WHERE seq > ? AND parked = 0 ORDER BY seq LIMIT ?",
            (self._done, limit),
        ).fetchall()
        records = [Record(topic, key, value, at, _decode(headers)) for _, topic, key, value, at, headers in rows]
        if not records:
            self.pending = self.bytes = 0  # whatever was counted, nothing is there to wait for
        self._peeked = [(row[0], record.size) for row, record in zip(rows, records, strict=True)]
        return records

    def oldest_ms(self) -> int | None:
        """received_at of the oldest record, epoch milliseconds."""
        row = self._db.execute(
            "SELECT timestamp_ms FROM records WHERE seq > ? AND parked = 0 ORDER BY seq LIMIT 1", (self._done,)
        ).fetchone()
        return None if row is None else int(row[0])

    def drop(self, count: int) -> None:
        """Forget the first `count` records of the last peek."""
        gone, self._peeked = self._peeked[:count], self._peeked[count:]
        if not gone:
            return
        self._done = gone[-1][0]
        self.pending -= len(gone)
        self.bytes -= sum(size for _, size in gone)
        # a full disk refuses the delete too; then only memory knows, and a restart sends these once more
        with suppress(sqlite3.OperationalError), _transaction(self._db):
            self._db.execute("DELETE FROM records WHERE seq <= ? AND parked = 0", (self._done,))
        if not self.pending and not self.parked and self._is_large():
            self._renew()

    def park(self) -> None:
        """Set the first record of the last peek aside until the next process opens the file."""
        (seq, size), *self._peeked = self._peeked
        with _transaction(self._db):
            self._db.execute("UPDATE records SET parked = 1 WHERE seq = ?", (seq,))
        self.pending -= 1
        self.parked += 1
        self.bytes -= size

    def probe(self) -> None:
        """Write and fsync a little; raises when the disk does not take it."""
        with _transaction(self._db):
            self._db.execute("PRAGMA user_version = 1")

    def close(self) -> None:
        """Close; an empty file is removed."""
        self._db.close()
        if not self.pending and not self.parked:
            self._remove()
            with suppress(FileNotFoundError):
                self.path.with_suffix(".lock").unlink()
        os.close(self._lock)

    def set_aside(self) -> Path:
        """Close a damaged file and keep it under another name."""
        with suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)
        return set_aside(self.path)

    def _is_large(self) -> bool:
        return any(_size(path) > _KEEP_BYTES for path in _files(self.path))

    def _renew(self) -> None:
        self._db.close()
        self._remove()
        self._open()

    def _remove(self) -> None:
        for path in _files(self.path):
            with suppress(FileNotFoundError):
                path.unlink()


def is_corrupt(error: Exception) -> bool:
    """Whether SQLite says that the file itself is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def set_aside(path: Path) -> Path:
    """Rename a damaged spool so that it is neither used nor lost."""
    target = path.with_suffix(".corrupt")
    for source, name in zip(_files(path), (target, target.with_suffix(".corrupt-wal")), strict=True):
        with suppress(FileNotFoundError):
            source.rename(name)
    return target


def _files(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """BEGIN on entry, COMMIT (the fsync) on exit, ROLLBACK on any error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
