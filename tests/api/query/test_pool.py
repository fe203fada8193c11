"""Queries that do not end cost those who asked for them, and nobody else more than a clear answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from api.query import catalog as catalog_module
from api.query import pool as pool_module
from api.query.catalog import load_catalog
from api.query.pool import EnginePool
from api.query.sql_guard import Catalog
from runtime.clickhouse.client import open_client, parse_dsn
from sori.errors import QueryError, StorageUnavailable
from sori.settings import Settings


class StuckEngine:
    """Answers `stuck` when it is released, everything else at once."""

    released = threading.Event()

    def __init__(self, *_: object) -> None:
        """Open nothing."""

    def raw(self, sql: str, _fmt: str) -> bytes:
        """Wait for the release, or not."""
        if sql == "stuck":
            self.released.wait(20)
        return b"1"

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def pool(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnginePool]:
    """A pool of one slot and short limits."""
    StuckEngine.released.clear()
    monkeypatch.setattr(pool_module, "DirectEngine", StuckEngine)
    monkeypatch.setattr(pool_module, "_GRACE_S", 0.1)
    api = settings.api.model_copy(update={"concurrency": 1, "query_timeout_s": 0.1})
    made = EnginePool(parse_dsn("chdb:///nowhere"), api)
    yield made
    StuckEngine.released.set()
    made.close()


async def test_a_query_that_the_engine_cannot_stop_is_not_waited_for(pool: EnginePool) -> None:
    """Whoever asked is told, whoever asks next too, and when it has ended the slot is free again."""
    with pytest.raises(QueryError, match=r"api\.query_timeout_s"):
        await pool.raw("stuck")
    with pytest.raises(StorageUnavailable, match=r"api\.concurrency"):
        await pool.raw("SELECT 1")
    StuckEngine.released.set()
    assert await pool.raw("SELECT 1") == b"1"


async def test_the_engines_of_a_pool_read_the_catalog_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four engines are opened for the first page; a table that came later is known to each."""
    read: list[object] = []

    def counted(client: Client) -> Catalog:
        read.append(client)
        return load_catalog(client)

    monkeypatch.setattr(catalog_module, "load_catalog", counted)
    pool = EnginePool(parse_dsn(settings.clickhouse_dsn), settings.api)
    try:
        await asyncio.gather(*(pool.rows("SELECT 1 AS n") for _ in range(settings.api.concurrency)))
        with open_client(settings.clickhouse_dsn) as client:
            client.command("CREATE TABLE later (n UInt8) ENGINE = Memory")
        answers = await asyncio.gather(*(pool.rows("SELECT count() AS n FROM later") for _ in range(8)))
    finally:
        pool.close()
    assert answers == [[{"n": 0}]] * 8
    assert len(read) == 1
