"""Finding the rows that ClickHouse refuses. No ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.insert.bisect import store_the_good
from sinks.insert.failures import Rejected, SchemaDrift, Unavailable, classify


@given(st.lists(st.booleans(), max_size=80))
async def test_every_good_row_is_stored_once_and_every_bad_one_is_named(good: list[bool]) -> None:
    """Whatever the pattern, and always with the same cuts."""

    async def run() -> tuple[list[int], list[int], list[tuple[int, int]]]:
        stored: list[int] = []
        cuts: list[tuple[int, int]] = []

        async def store(first: int, after: int) -> None:
            cuts.append((first, after))
            if not all(good[first:after]):
                raise Rejected("no")
            stored.extend(range(first, after))

        culprits = await store_the_good(len(good), store)
        return stored, [index for index, _ in culprits], cuts

    stored, culprits, cuts = await run()
    assert sorted(stored) == [n for n, ok in enumerate(good) if ok]
    assert culprits == [n for n, ok in enumerate(good) if not ok]
    assert (await run())[2] == cuts


async def test_one_bad_row_costs_few_tries() -> None:
    """Logarithmic in the size of the batch."""
    tries = 0

    async def store(first: int, after: int) -> None:
        nonlocal tries
        tries += 1
        if first <= 31_337 < after:
            raise Rejected("no")

    assert [index for index, _ in await store_the_good(50_000, store)] == [31_337]
    assert tries < 40


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("operational", Unavailable),
        ("database-252", Unavailable),
        ("database-none", Unavailable),
        ("database-60", SchemaDrift),
        ("database-16", SchemaDrift),
        ("database-27", Rejected),
        ("data", Rejected),
        ("type", Rejected),
        ("os", Unavailable),
    ],
)
def test_what_a_failure_means(error: str, kind: type[Exception]) -> None:
    """By code, else by class; what nobody knows is worth waiting for, since waiting loses nothing."""
    from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError

    made = {
        "operational": OperationalError("connection refused"),
        "database-252": DatabaseError("too many parts", code=252),
        "database-none": DatabaseError("what"),
        "database-60": DatabaseError("no table", code=60),
        "database-16": DatabaseError("no column", code=16),
        "database-27": DatabaseError("cannot parse Stack trace: …", code=27),
        "data": DataError("bad value"),
        "type": TypeError("not a str"),
        "os": ConnectionResetError("gone"),
    }[error]
    found = classify(made)
    assert type(found) is kind
    assert "Stack trace" not in str(found)
