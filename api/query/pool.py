"""A few read-only engines, each in a thread of its own, shared by all requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from api.query.engine import DEFAULT_FORMAT, DirectEngine, Row, rows
from runtime.clickhouse.client import Dsn
from sori.settings.api import ApiSettings


class EnginePool:
    """Opens engines when they are needed and keeps them; at most `concurrency` queries run at a time."""

    def __init__(self, dsn: Dsn, settings: ApiSettings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._idle: list[DirectEngine] = []
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="query")

    async def raw(self, sql: str, fmt: str = DEFAULT_FORMAT) -> bytes:
        """Run one query. Raises QueryError or StorageUnavailable."""
        async with self._slots:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._raw, sql, fmt)

    async def rows(self, sql: str) -> list[Row]:
        """Run one query and decode its rows."""
        async with self._slots:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._rows, sql)

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
            return DirectEngine(self._dsn, self._settings)
