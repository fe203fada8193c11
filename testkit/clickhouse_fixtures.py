"""Fixtures for tests that run on both kinds of DSN; a conftest imports them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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


def put_schema(dsn: str) -> None:
    """Make an embedded database that has our schema: copied, as migrations take two seconds."""
    path = parse_dsn(dsn).path
    assert path is not None
    shutil.copytree(_schema(), path, symlinks=True)


@contextmanager
def open_with_schema(dsn: str) -> Iterator[Client]:
    """A client of a new embedded database that has our schema."""
    put_schema(dsn)
    with open_client(dsn) as client:
        yield client


@cache
def _schema() -> Path:
    """An engine path with our schema, made once a process and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="sori-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with open_client(f"chdb://{folder / 'clickhouse'}") as client:
        migrations.apply(client)
    return folder / "clickhouse"


@pytest.fixture
def chdb_dsn(tmp_path: Path) -> str:
    """The DSN of an engine path that does not exist yet; a process hosts one path at a time."""
    return f"chdb://{tmp_path / 'clickhouse'}"


class Databases:
    """Databases of one server. What has our schema is emptied and used again: migrations take two seconds."""

    def __init__(self, server: ClickHouseServer) -> None:
        self._server = server
        self._ready: list[str] = []

    @contextmanager
    def one(self, *, schema: bool) -> Iterator[str]:
        """The DSN of a database of the caller's own: empty, or with the schema and no rows."""
        name = self._ready.pop() if schema and self._ready else f"t{uuid.uuid4().hex[:12]}"
        dsn = f"{self._server.dsn.rpartition('/')[0]}/{name}"
        open_client(dsn, create_database=True).close()
        made = ""
        if schema:
            with open_client(dsn) as client:
                migrations.apply(client)
                made = emptied(client, name)
        yield dsn
        with open_client(self._server.dsn) as client:
            if schema and emptied(client, name) == made:
                self._ready.append(name)
            else:
                client.command(f"DROP DATABASE IF EXISTS {name} SYNC")


def emptied(client: Client, database: str) -> str:
    """Empty every table that ever had a part, but the list of migrations; what the schema then is."""
    found = client.query(
        "SELECT name, create_table_query, parts > 0 AND engine LIKE '%MergeTree' AND name != 'schema_migrations' "
        f"FROM system.tables WHERE database = '{database}' ORDER BY name"
    ).result_rows
    for name, _, holds_rows in found:
        if holds_rows:
            client.command(f"TRUNCATE TABLE {database}.`{name}` SYNC")
    return repr([row[:2] for row in found])


@pytest.fixture(scope="session")
def clickhouse_databases(clickhouse_server: ClickHouseServer) -> Databases:
    """Databases on the session's server."""
    return Databases(clickhouse_server)


@pytest.fixture(params=["chdb", "clickhouse"])
def dsn(request: pytest.FixtureRequest, chdb_dsn: str) -> Iterator[str]:
    """A database of this test's own: once embedded, once on a server. Empty, unless the test asks for `client`, too."""
    if request.param == "chdb":
        yield chdb_dsn
        return
    databases: Databases = request.getfixturevalue("clickhouse_databases")
    with databases.one(schema="client" in request.fixturenames) as address:
        yield address


@pytest.fixture
def client(dsn: str) -> Iterator[Client]:
    """A client of a database that has our schema."""
    opened = open_with_schema(dsn) if parse_dsn(dsn).path is not None else open_client(dsn)
    with opened as client:
        yield client
