"""A few read-only engines, each in a thread of its own, shared by all requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from api.query.catalog import KeptCatalog
from api.query.engine import DEFAULT_FORMAT, DirectEngine, Row, rows
from runtime.clickhouse.client import Dsn
from sori.errors import QueryError, StorageUnavailable
from sori.settings.api import ApiSettings

#: ClickHouse looks at its own limit between two blocks of rows, so it may answer that a little later.
_GRACE_S = 5.0
#: So many engines are opened ahead, at most: one page asks no more at a time.
_WARM = 4
_AnswerT = TypeVar("_AnswerT")


class EnginePool:
    """Opens engines when they are needed and keeps them; at most `concurrency` queries run at a time."""

    def __init__(self, dsn: Dsn, settings: ApiSettings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._catalog = KeptCatalog()
        self._idle: list[DirectEngine] = []
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="query")

    async def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Run one query. Raises QueryError or StorageUnavailable."""
        return await self._run(self._raw, sql, fmt)

    async def rows(self, sql: str) -> list[Row]:
        """Run one query and decode its rows."""
        return await self._run(self._rows, sql)

    async def warm(self) -> None:
        """Open engines and read what the database knows before somebody waits for it; trouble is told to who asks."""
        with suppress(Exception):
            await asyncio.gather(*(self.rows("SELECT 1") for _ in range(min(self._settings.concurrency, _WARM))))

    async def _run(self, work: Callable[..., _AnswerT], *args: str) -> _AnswerT:
        """Wait for a free slot and for the answer, for each as long as a query may take: nobody hangs on another's."""
        timeout_s = self._settings.query_timeout_s + _GRACE_S
        try:
            async with asyncio.timeout(timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise StorageUnavailable(
                f"{self._settings.concurrency} other queries are running (api.concurrency) and none ended within"
                f" {timeout_s:g} s; ask again later"
            ) from None
        running = asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        running.add_done_callback(self._release)
        done, _ = await asyncio.wait({running}, timeout=timeout_s)
        if not done:  # it holds its slot until then: the engine cannot be stopped within one call
            raise QueryError("the query took longer than allowed (api.query_timeout_s), and has not ended yet")
        return running.result()

    def _release(self, running: asyncio.Future[_AnswerT]) -> None:
        self._slots.release()
        if not running.cancelled():
            running.exception()  # whoever asked may have left

    def close(self) -> None:
        """Wait for what runs, then close every engine."""
        self._threads.shutdown(wait=True)
        while self._idle:
            self._idle.pop().close()

    def _raw(self, sql: str, fmt: str) -> bytes:
        engine = self._take()
        try:
            return engine.raw(sql, fmt)
        finally:
            self._idle.append(engine)

    def _rows(self, sql: str) -> list[Row]:
        engine = self._take()
        try:
            return rows(engine, sql)
        finally:
            self._idle.append(engine)

    def _take(self) -> DirectEngine:
        try:
            return self._idle.pop()
        except IndexError:
            return DirectEngine(self._dsn, self._settings, self._catalog)
