"""Where a table's rows lie: in the table itself, or on a cluster under a Distributed one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

_DISTRIBUTED = re.compile(r"Distributed\('(?P<cluster>[^']+)', '(?P<database>[^']+)', '(?P<table>[^']+)'")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table of ours keeps its rows; `cluster` is empty on one server."""

    table: str
    database: str = ""
    cluster: str = ""

    @property
    def changeable(self) -> str:
        """What to write after ALTER TABLE or DELETE FROM, so that every server changes."""
        return f"{self.name} ON CLUSTER `{self.cluster}`" if self.cluster else self.table

    @property
    def name(self) -> str:
        """The table itself, for whoever is in our database."""
        return f"`{self.database}`.`{self.table}`" if self.cluster else self.table

    @property
    def parts(self) -> str:
        """The parts of the table, after FROM, with a condition: of one replica of every shard."""
        if not self.cluster:
            return f"system.parts WHERE database = currentDatabase() AND table = '{self.table}'"
        source = f"cluster('{self.cluster}', system.parts)"
        return f"{source} WHERE database = '{self.database}' AND table = '{self.table}'"


def place_of(rows: Callable[[str], Sequence[Sequence[Any]]], table: str) -> Place:
    """Ask where; `rows` runs a query."""
    query = f"SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"  # noqa: S608
    found = rows(query)
    match = _DISTRIBUTED.match(str(found[0][0])) if found else None
    return Place(table) if match is None else Place(match["table"], match["database"], match["cluster"])


def changeable(client: Client, table: str) -> str:
    """What to write after ALTER TABLE or DELETE FROM, so that the rows' own tables are changed, on every server."""
    return place_of(lambda sql: client.query(sql).result_rows, table).changeable


def definition(client: Client, table: str) -> str:
    """The engine of the table that holds the rows, with its TTL and settings, as this server has it."""
    place = place_of(lambda sql: client.query(sql).result_rows, table)
    database = f"'{place.database}'" if place.cluster else "currentDatabase()"
    query = f"SELECT engine_full FROM system.tables WHERE database = {database} AND name = {{name:String}}"  # noqa: S608
    return str(client.query(query, parameters={"name": table}).result_rows[0][0])
