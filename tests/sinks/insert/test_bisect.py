"""Finding the rows that ClickHouse refuses. No ClickHouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.insert.bisect import store_the_good
from sinks.insert.breaker import SAMPLE, Breaker, RefusesAll, sample
from sinks.insert.failures import Rejected, SchemaDrift, TooMuchMemory, Unavailable, classify


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


@given(rows=st.integers(1, 80), fits=st.integers(1, 80))
async def test_a_block_that_needs_too_much_memory_goes_in_halves(rows: int, fits: int) -> None:
    """Every row is stored once, in blocks that fit; nobody is accused."""
    stored: list[int] = []

    async def store(first: int, after: int) -> None:
        if after - first > fits:
            raise TooMuchMemory("no room")
        stored.extend(range(first, after))

    assert await store_the_good(rows, store) == []
    assert stored == list(range(rows))


@given(bad=st.integers(0, 400), rest=st.integers(0, 400), most=st.integers(1, 50))
async def test_a_table_that_refuses_everything_is_told_from_bad_rows(bad: int, rest: int, most: int) -> None:
    """However many bad rows come first: as long as the sample finds a good one, only bad rows are named."""
    tries, breaker = 0, Breaker(most)

    async def store(first: int, after: int) -> None:
        nonlocal tries
        tries += 1
        if first < bad:
            raise Rejected("no")

    rows = bad + rest
    if any(index >= bad for index in sample(rows)) or bad < most:
        culprits = await store_the_good(rows, store, breaker)
        assert [index for index, _ in culprits] == list(range(bad))
    else:
        with pytest.raises(RefusesAll):
            await store_the_good(rows, store, breaker)
        assert breaker.open
        tries = 0
        with pytest.raises(RefusesAll):
            await store_the_good(rows, store, breaker)
        assert tries <= SAMPLE


async def test_small_batches_count_together() -> None:
    """A quiet topic has one row a batch: after so many refused ones the table is not trusted any more."""
    breaker = Breaker(3)

    async def refuse(first: int, after: int) -> None:
        raise Rejected("no")

    async def accept(first: int, after: int) -> None:
        pass

    for _ in range(2):
        assert len(await store_the_good(1, refuse, breaker)) == 1
    assert await store_the_good(1, accept, breaker) == []
    for _ in range(2):
        assert len(await store_the_good(1, refuse, breaker)) == 1
    with pytest.raises(RefusesAll):
        await store_the_good(1, refuse, breaker)
    assert await store_the_good(1, accept, breaker) == []
    assert not breaker.open


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("operational", Unavailable),
        ("database-252", Unavailable),
        ("database-none", Unavailable),
        ("database-60", SchemaDrift),
        ("database-16", SchemaDrift),
        ("database-27", Rejected),
        ("database-241", TooMuchMemory),
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
        "database-241": DatabaseError("memory limit exceeded", code=241),
        "data": DataError("bad value"),
        "type": TypeError("not a str"),
        "os": ConnectionResetError("gone"),
    }[error]
    found = classify(made)
    assert type(found) is kind
    assert "Stack trace" not in str(found)
