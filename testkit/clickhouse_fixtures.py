"""Fixtures for tests that run on both kinds of DSN; a conftest imports them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client, parse_dsn
from testkit.clickhouse_server import ClickHouseServer


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server for the whole session; a test of faults starts one of its own."""
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chdb_with_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine path that has our schema, to be copied: quicker than applying the migrations once more."""
    path = tmp_path_factory.mktemp("schema") / "clickhouse"
    with open_client(f"chdb://{path}") as client:
        migrations.apply(client)
    return path


@pytest.fixture
def chdb_dsn(tmp_path: Path) -> str:
    """The DSN of an engine path that does not exist yet; a process hosts one path at a time."""
    return f"chdb://{tmp_path / 'clickhouse'}"


@pytest.fixture(params=["chdb", "clickhouse"])
def dsn(request: pytest.FixtureRequest, chdb_dsn: str) -> Iterator[str]:
    """An empty database of this test's own: once embedded, once on a server, which drops it at the end."""
    if request.param == "chdb":
        yield chdb_dsn
        return
    server: ClickHouseServer = request.getfixturevalue("clickhouse_server")
    name = f"t{uuid.uuid4().hex[:12]}"
    address = f"{server.dsn.rpartition('/')[0]}/{name}"
    open_client(address, create_database=True).close()
    yield address
    with open_client(server.dsn) as client:
        client.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
def client(dsn: str, chdb_with_schema: Path) -> Iterator[Client]:
    """A client of a database that has our schema."""
    path = parse_dsn(dsn).path
    if path is not None:
        shutil.copytree(chdb_with_schema, path, symlinks=True)
    with open_client(dsn) as opened:
        migrations.apply(opened)
        yield opened
