"""The contract suite: what runs on `dsn` runs embedded and against a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from testkit.clickhouse_fixtures import chdb_dsn, chdb_with_schema, clickhouse_server, dsn

__all__ = ["chdb_dsn", "chdb_with_schema", "clickhouse_server", "client", "dsn"]


@pytest.fixture
def client(dsn: str, chdb_with_schema: Path) -> Iterator[Client]:
    """A client of a database that has our schema."""
    path = parse_dsn(dsn).path
    if path is not None:
        shutil.copytree(chdb_with_schema, path, symlinks=True)
    with open_client(dsn) as opened:
        migrations.apply(opened)
        yield opened
