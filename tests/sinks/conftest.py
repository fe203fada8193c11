"""The contract suite: what runs on `dsn` runs embedded and against a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from runtime import migrations
from runtime.clickhouse import open_client
from tests.support.clickhouse_fixtures import chdb_dsn, clickhouse_server, dsn

__all__ = ["chdb_dsn", "clickhouse_server", "client", "dsn"]


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    """A client of a database that has our schema."""
    with open_client(dsn) as opened:
        migrations.apply(opened)
        yield opened
