"""The spool for the event loop: a thread of its own does the disk's work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ingest.admission.record import Record
from ingest.storage.spool.limits import SpoolLimits, SpoolStatus
from ingest.storage.spool.store import SpoolStore
from sori.errors import StorageUnavailable

T = TypeVar("T")


class DiskSpool:
    """Implements ingest.storage.interfaces.Spool. `status` is as of the last call."""

    def __init__(self, store: SpoolStore, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._thread = thread
        self.status = SpoolStatus()

    @classmethod
    async def open(cls, folder: Path, limits: SpoolLimits) -> DiskSpool:
        """Open or create the spool in `folder`, adopting what dead processes left. Raises StorageUnavailable."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        try:
            store = await asyncio.get_running_loop().run_in_executor(thread, SpoolStore, folder, limits)
        except BaseException:
            thread.shutdown()
            raise
        spool = cls(store, thread)
        await spool.refresh()
        return spool

    @property
    def pending(self) -> int:
        """Records not yet dropped."""
        return self.status.pending

    @property
    def has_room(self) -> bool:
        """Whether an append would be tried."""
        return not self.status.full

    async def append(self, records: Sequence[Record]) -> None:
        """Store records; on disk (fsync) when this returns. Raises StorageUnavailable: none is kept."""
        await self._run(lambda: self._store.append(records))

    async def peek(self, limit: int) -> list[Record]:
        """The oldest records."""
        return await self._run(lambda: self._store.peek(limit))

    async def drop(self, count: int) -> None:
        """Forget the oldest `count` records."""
        await self._run(lambda: self._store.drop(count))

    async def park(self) -> None:
        """Set the oldest record aside."""
        await self._run(self._store.park)

    async def refresh(self) -> None:
        """Bring `status` up to date: the disk may have changed under us, or be well again."""
        try:
            if self.status.full.startswith("disk:"):
                await self._run(self._store.probe)
            else:
                await self._run(lambda: None)
        except StorageUnavailable:
            return  # status says so

    async def adopt(self) -> int:
        """Take over files of processes that died meanwhile; how many."""
        return await self._run(self._store.adopt)

    async def close(self) -> None:
        """Close the files; what is in them stays for the next process."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown()

    async def _run(self, call: Callable[[], T]) -> T:
        def work() -> tuple[T | StorageUnavailable, SpoolStatus]:
            result: T | StorageUnavailable
            try:
                result = call()
            except StorageUnavailable as error:
                result = error
            return result, self._store.status()

        result, self.status = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        if isinstance(result, StorageUnavailable):
            raise result
        return result
