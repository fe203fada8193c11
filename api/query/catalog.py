"""Asks an engine what it knows: the tables of our database, and which of its functions only compute."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from api.query.sql_guard import Catalog
from api.query.sql_policy import FUNCTION_CATEGORIES, FUNCTIONS, UNBOUNDED_FUNCTIONS

_FUNCTIONS = (
    "SELECT name, alias_to, is_aggregate, case_insensitive, categories, origin = 'System' FROM system.functions"
)
_TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase()"
_COMBINATORS = "SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal"


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
