"""Carries the rows of a single server's database into the tables of a cluster, by account, month by month.

Rows are upserts: what was carried before a break is carried once more and counts once. Tables that are none (a few
notes) are carried whole, and only into an empty table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from sori.errors import ConfigError, SchemaError

#: Not carried: the list of migrations, and what is still to be done with windows and events, which they say again.
_LEFT_OUT = (
    "schema_migrations",
    "rollup_changes",
    "rollup_watermark",
    "identity_arrivals",
    "identities_fresh",
    "stored_ends",
)
_SETTINGS = {"max_partitions_per_insert_block": 0, "distributed_foreground_insert": 1, "insert_deduplicate": 0}
_STORED = """
SELECT name, engine LIKE 'Replacing%' OR engine LIKE 'Aggregating%' FROM system.tables
WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name NOT IN {left_out:Array(String)} ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class Carried:
    """One partition of one table; `rows` as they lie there, older versions included. 0: was there already."""

    table: str
    partition: str
    rows: int


def carry(facade: Client, source: str) -> Iterator[Carried]:
    """Carry every row of the database `source` on this server into the cluster; yields each step when it is done.

    Raises ConfigError when there is no such database, SchemaError when its tables are not those of this release.
    """
    tables = facade.query(_STORED, parameters={"database": source, "left_out": list(_LEFT_OUT)}).result_rows
    if not tables:
        raise ConfigError(f"this server has no database {source} with tables of a single server")
    shapes = {table: _columns(facade, source, table) for table, _ in tables}
    for table, columns in shapes.items():
        if columns != _columns(facade, str(facade.command("SELECT currentDatabase()")), table):
            raise SchemaError(f"{source}.{table} has other columns than the cluster: `sori schema apply` there first")
    for table, upserts in tables:
        names = ", ".join(f"`{name}`" for name, _ in shapes[table])
        if upserts:
            yield from _by_partition(facade, source, table, names)
        else:
            yield _whole(facade, source, table, names)


def compare(facade: Client, source: str) -> Iterator[tuple[str, int, int]]:
    """Table, rows there and rows in the cluster, each newest version once; to be equal when nothing else writes."""
    given = {"database": source, "left_out": list(_LEFT_OUT)}
    for table, upserts in facade.query(_STORED, parameters=given).result_rows:
        final = " FINAL" if upserts else ""
        yield table, _count(facade, f"`{source}`.`{table}`{final}"), _count(facade, f"`{table}`{final}")


def _count(client: Client, table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}").result_rows[0][0])  # noqa: S608 - names of ours


def _by_partition(facade: Client, source: str, table: str, names: str) -> Iterator[Carried]:
    query = (
        "SELECT partition_id, sum(rows) FROM system.parts WHERE database = {database:String} AND table = {table:String}"
        " AND active GROUP BY partition_id ORDER BY partition_id"
    )
    for partition, rows in facade.query(query, parameters={"database": source, "table": table}).result_rows:
        _copy(facade, source, table, names, f"WHERE _partition_id = '{partition}'")
        yield Carried(table, str(partition), int(rows))


def _whole(facade: Client, source: str, table: str, names: str) -> Carried:
    rows = _count(facade, f"`{source}`.`{table}`")
    if rows and not _count(facade, f"`{table}`"):
        _copy(facade, source, table, names, "")
        return Carried(table, "all", rows)
    return Carried(table, "all", 0)


def _copy(facade: Client, source: str, table: str, names: str, where: str) -> None:
    query = f"INSERT INTO `{table}` ({names}) SELECT {names} FROM `{source}`.`{table}` {where}"  # noqa: S608 - same
    facade.command(query, settings=_SETTINGS)


def _columns(client: Client, database: str, table: str) -> list[tuple[str, str]]:
    """Those that can be written."""
    query = (
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}"
        " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY name"
    )
    return [
        (str(name), str(kind))
        for name, kind in client.query(query, parameters={"database": database, "table": table}).result_rows
    ]
