"""All spool files of one process: its own, and those that dead processes left behind, drained first. Synchronous."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from ingest.admission.record import Record
from ingest.storage.spool.file import SUFFIX, SpoolFile, is_corrupt, set_aside
from ingest.storage.spool.limits import SpoolLimits, SpoolStatus, why_full
from runtime.file_lock import Locked
from runtime.process.private_files import private_folder
from sori.errors import StorageUnavailable

_log = structlog.get_logger(__name__)


def _now_ms() -> int:
    return int(time.time() * 1000)


class SpoolStore:
    """Records in the order of their files and, within a file, of their arrival. For one thread at a time."""

    def __init__(self, folder: Path, limits: SpoolLimits, clock_ms: Callable[[], int] = _now_ms) -> None:
        """Create the folder, adopt what is there, open a file of our own. Raises StorageUnavailable."""
        self._folder = folder
        self._limits = limits
        self._clock_ms = clock_ms
        self._left_behind: list[SpoolFile] = []
        self._peeked: SpoolFile | None = None
        self._broken = ""
        try:
            private_folder(folder)
            self.adopt()
            self._own = self._create()
        except (OSError, sqlite3.Error) as error:
            raise StorageUnavailable(f"spool {folder}: {error}") from error

    def _create(self) -> SpoolFile:
        return SpoolFile(self._folder / f"spool-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}{SUFFIX}")

    def status(self, more_bytes: int = 0) -> SpoolStatus:
        """What is held, and whether `more_bytes` would be taken."""
        files = [*self._left_behind, self._own]
        oldest = None
        with suppress(sqlite3.Error):  # a damaged file is dealt with when it is read
            oldest = next((file.oldest_ms() for file in files if file.pending), None)
        held = SpoolStatus(
            sum(file.pending for file in files),
            sum(file.bytes for file in files),
            oldest,
            sum(file.parked for file in files),
            self._broken,
        )
        reason = held.full or why_full(
            self._limits, held, more_bytes=more_bytes, free_bytes=self._free_bytes(), now_ms=self._clock_ms()
        )
        return SpoolStatus(held.pending, held.bytes, held.oldest_ms, held.parked, reason)

    def append(self, records: Sequence[Record]) -> None:
        """Add records, on disk when this returns. Raises StorageUnavailable, and then keeps none."""
        reason = why_full(
            self._limits,
            self.status(),
            more_bytes=sum(record.size for record in records),
            free_bytes=self._free_bytes(),
            now_ms=self._clock_ms(),
        )
        if reason:
            raise StorageUnavailable(reason)
        self._guarded(lambda: self._own.append(records))

    def probe(self) -> None:
        """See whether a broken disk takes writes again. Raises StorageUnavailable."""
        self._guarded(self._own.probe)

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, sqlite3.Error) as error:
            if not self._broken:
                _log.exception("spool_broken", folder=str(self._folder))
            self._broken = f"disk: {error}"
            if is_corrupt(error):
                self._replace_own()
            raise StorageUnavailable(self._broken) from error
        self._broken = ""

    def peek(self, limit: int) -> list[Record]:
        """The oldest records of the oldest file that has any."""
        while (file := self._first()) is not None:
            self._peeked = file
            try:
                return file.peek(limit)
            except sqlite3.DatabaseError as error:
                if not is_corrupt(error):
                    raise StorageUnavailable(f"spool: {error}") from error
                self._discard(file)
        return []

    def drop(self, count: int) -> None:
        """Forget the first `count` records of the last peek: they are in Kafka."""
        if self._peeked is not None:
            self._peeked.drop(count)
            self._close_finished()

    def park(self) -> None:
        """Set the first record of the last peek aside."""
        if self._peeked is not None:
            with suppress(sqlite3.OperationalError):  # a full disk: it will be tried and refused again
                self._peeked.park()

    def adopt(self) -> int:
        """Take over every file whose process is dead; how many there were with records in them."""
        found = 0
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                file = SpoolFile(path)
            except Locked:
                continue
            except sqlite3.DatabaseError as error:
                if is_corrupt(error):
                    _log.exception("spool_corrupt", kept_as=str(set_aside(path)))
                continue
            if file.pending:
                _log.warning("spool_adopted", file=path.name, events=file.pending)
                self._left_behind.append(file)
                found += 1
            else:
                file.close()
        return found

    def close(self) -> None:
        """Close every file; empty ones are removed."""
        for file in (*self._left_behind, self._own):
            file.close()

    def _first(self) -> SpoolFile | None:
        return next((file for file in (*self._left_behind, self._own) if file.pending), None)

    def _close_finished(self) -> None:
        for file in [file for file in self._left_behind if not (file.pending or file.parked)]:
            self._left_behind.remove(file)
            file.close()

    def _discard(self, file: SpoolFile) -> None:
        _log.error("spool_corrupt", kept_as=str(file.set_aside()), events=file.pending)
        if file is self._own:
            self._own = self._create()
        else:
            self._left_behind.remove(file)

    def _replace_own(self) -> None:
        """Leave a damaged file to the drain, which saves what can be read, and go on with a new one."""
        try:
            fresh = self._create()
        except (OSError, sqlite3.Error):
            return  # the disk, not the file: the next append tries again
        self._left_behind.append(self._own)
        self._own = fresh

    def _free_bytes(self) -> int:
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return 0
        return disk.f_bavail * disk.f_frsize
