"""Which functions of the engine a query may use: every one was looked at."""

from __future__ import annotations

from pathlib import Path

from api.query.catalog import load_catalog
from api.query.engine import DirectEngine
from runtime.clickhouse.client import open_client

JUDGED = Path(__file__).with_name("judged_functions.txt")


def test_every_function_that_is_allowed_was_judged(engine: DirectEngine) -> None:
    """A new engine brings new functions, and groups are allowed as wholes.

    Red after an upgrade? Read what each new name does. If it only computes, add it to the file; if it reads a file, the
    network, the machine or other people's queries, or writes, take its group out of FUNCTION_CATEGORIES.
    """
    with open_client(engine.dsn) as client:
        catalog = load_catalog(client)
    assert sorted((catalog.functions | catalog.aggregates) - set(JUDGED.read_text().split())) == []


def test_names_are_known_in_every_form_that_sql_allows(engine: DirectEngine) -> None:
    """Any case where the engine allows it, aliases, combinators of aggregates; a refused one in none of them."""
    with open_client(engine.dsn) as client:
        catalog = load_catalog(client)
    known = [
        "sum",
        "SUM",
        "sumIf",
        "sumIfOrNull",
        "countDistinct",
        "uniqExactArrayMerge",
        "toDate",
        "DATE_DIFF",
        "lcase",
    ]
    assert [name for name in known if not catalog.has_function(name)] == []
    closed = "file FILE fileIf url sleep sleepEachRow hostname FQDN dictGet joinGet getSetting showCertificate"
    closed += " aiGenerate AIGenerate addressToLine generateSerialID"
    assert [name for name in closed.split() if catalog.has_function(name)] == []


def test_no_column_that_people_read_is_called_like_a_refused_function(engine: DirectEngine) -> None:
    """Such a column could only be asked for as table.column."""
    with open_client(engine.dsn) as client:
        catalog = load_catalog(client)
        found = client.query("SELECT name FROM system.columns WHERE database = currentDatabase()").result_rows
    assert {name for (name,) in found} & catalog.refused == set()
