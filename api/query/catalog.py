"""Asks an engine what it knows: the tables of our database, and which of its functions only compute."""

from __future__ import annotations

import threading
from dataclasses import replace

from clickhouse_connect.driver.client import Client

from api.query.sql_guard import Catalog
from api.query.sql_policy import FUNCTION_CATEGORIES, FUNCTIONS, UNBOUNDED_FUNCTIONS

_FUNCTIONS = (
    "SELECT name, alias_to, is_aggregate, case_insensitive, categories, origin = 'System' FROM system.functions"
)
_TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase()"
_COMBINATORS = "SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal"


class KeptCatalog:
    """What an engine knows, read once for all clients of it: that takes longer than most queries. Safe in threads."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._known: Catalog | None = None

    def get(self, client: Client) -> Catalog:
        """As it was read, by this client if it is the first one. Raises ClickHouseError."""
        with self._reading:
            if self._known is None:
                self._known = load_catalog(client)
            return self._known

    def with_new_tables(self, client: Client) -> Catalog:
        """With the tables that there are now. Raises ClickHouseError."""
        known = self.get(client)
        with self._reading:
            self._known = replace(known, tables=load_tables(client))
            return self._known


def load_catalog(client: Client) -> Catalog:
    """Read everything. Raises ClickHouseError."""
    rows = client.query(_FUNCTIONS).result_rows
    allowed = {name for name, _, aggregate, _, group, system in rows if _computes(name, aggregate, group, system)}
    allowed |= {name for name, target, *_ in rows if target in allowed}
    aggregates = {name for name, _, aggregate, *_ in rows if aggregate and name in allowed}
    functions = frozenset(allowed - aggregates) | FUNCTIONS
    any_case = frozenset(name.lower() for name, _, _, any_case, *_ in rows if any_case and name in allowed)
    return Catalog(
        database=str(client.command("SELECT currentDatabase()")),
        tables=load_tables(client),
        functions=functions,
        refused=frozenset(name.lower() for name, *_ in rows if name not in functions | aggregates) - any_case,
        any_case=any_case,
        aggregates=frozenset(aggregates),
        combinators=tuple(str(name) for (name,) in client.query(_COMBINATORS).result_rows),
    )


def load_tables(client: Client) -> frozenset[str]:
    """Tables and views of our database. Raises ClickHouseError."""
    return frozenset(str(name) for (name,) in client.query(_TABLES).result_rows)


def _computes(name: str, aggregate: int, group: str, system: int) -> bool:
    if name in UNBOUNDED_FUNCTIONS:
        return False
    return bool(system) and (bool(aggregate) or group in FUNCTION_CATEGORIES or name in FUNCTIONS)
