"""Runs the migrations of one server on a cluster, and keeps the Distributed tables over what they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.client import Dsn, open_client
from runtime.clickhouse.cluster import Cluster, moves_rows, written_out
from sori.errors import ConfigError, SchemaError

#: What is written through a Distributed table is stored when the statement returns; subqueries are sent along.
SETTINGS: dict[str, Any] = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "parallel_distributed_insert_select": 0,
}
_TABLES = """
SELECT t.database, t.name, arrayMap(p -> (p.1, p.2), t.parameterized_view_parameters), groupArray((c.name, c.type))
FROM system.tables AS t
LEFT JOIN (SELECT database, table, name, type FROM system.columns ORDER BY position) AS c
    ON c.database = t.database AND c.table = t.name
WHERE t.database IN ({local:String}, {facade:String}) AND t.engine != 'MaterializedView' AND NOT startsWith(t.name, '.')
GROUP BY t.database, t.name, t.parameterized_view_parameters ORDER BY t.name
"""


class ClusterSchema:
    """Two clients of one server of the cluster: one in the tables' database, one in that of the Distributed tables."""

    def __init__(self, cluster: Cluster, local: Client, facade: Client) -> None:
        self.facade = facade
        self._cluster = cluster
        self._local = local

    def run(self, statement: str, earlier: Sequence[str] = ()) -> None:
        """A statement of a migration: a change of the schema on every server, a move of rows once over all of them.

        `earlier` are the statements before it, among which is that of a table it copies.
        """
        if moves_rows(statement):
            self.refresh()
            self.facade.command(statement)
            return
        try:
            self._local.command(self._cluster.everywhere(written_out(statement, earlier)))
        except ValueError as error:
            raise SchemaError(str(error)) from error

    def refresh(self) -> None:
        """Have a Distributed table over each table and view, with its columns of now."""
        found: dict[tuple[str, str], Any] = {}
        names = {"local": self._cluster.local, "facade": self._cluster.database}
        for database, name, parameters, columns in self.facade.query(_TABLES, parameters=names).result_rows:
            found[database, name] = (list(parameters), list(columns))
        for (database, name), shape in found.items():
            if database == self._cluster.local and found.get((self._cluster.database, name)) != shape:
                self.facade.command(self._over(name, *shape))

    def _over(self, name: str, parameters: list[tuple[str, str]], columns: list[tuple[str, str]]) -> str:
        if parameters:
            return self._cluster.parameterized(name, dict(parameters))
        return self._cluster.facade(name, [column for column, _ in columns])


@contextmanager
def open_cluster(dsn: Dsn, name: str) -> Iterator[ClusterSchema]:
    """Make both databases where they are missing, and open them. Raises ConfigError for chDB, or an unknown cluster."""
    if dsn.embedded:
        raise ConfigError("clickhouse.cluster needs servers: clickhouse.dsn = clickhouse://…")
    cluster = Cluster(name, dsn.database)
    with open_client(replace(dsn, database="default")) as client:
        known = "SELECT count() FROM system.clusters WHERE cluster = {name:String}"
        if not int(client.query(known, parameters={"name": name}).result_rows[0][0]):
            names = ", ".join(
                row[0] for row in client.query("SELECT DISTINCT cluster FROM system.clusters").result_rows
            )
            raise ConfigError(
                f"clickhouse.cluster = {name}: the server knows {names or 'no cluster'} (system.clusters)"
            )
        for statement in cluster.databases():
            client.command(statement)
    with (
        open_client(replace(dsn, database=cluster.local)) as local,
        open_client(dsn, settings=SETTINGS) as facade,
    ):
        yield ClusterSchema(cluster, local, facade)
