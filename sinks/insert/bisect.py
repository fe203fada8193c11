"""Finds the rows that make an insert fail, in O(culprits x log rows) tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sinks.insert.breaker import Breaker, RefusesAll, sample
from sinks.insert.failures import Rejected, TooMuchMemory

#: Stores rows [first, after), or raises Rejected, or TooMuchMemory for more than one row; must wait out everything that
#: is not about the rows.
Store = Callable[[int, int], Awaitable[None]]


async def store_the_good(rows: int, store: Store, breaker: Breaker | None = None) -> list[tuple[int, Rejected]]:
    """Store every acceptable row of `rows`; return the index and error of each that ClickHouse refuses.

    The halves are always cut the same way, so that a repeated bisection repeats the same inserts under the same names.
    Raises RefusesAll when `breaker` has seen too many refused in a row and a sample of all rows is refused as well.
    """
    breaker = breaker or Breaker(0)
    if breaker.open:
        await _try_sample(rows, store, breaker)
    culprits: list[tuple[int, Rejected]] = []
    todo = [(0, rows)]
    while todo:
        first, after = todo.pop()
        if first == after:
            continue
        try:
            await store(first, after)
            breaker.accepted()
        except (Rejected, TooMuchMemory) as error:
            if isinstance(error, Rejected) and after - first == 1:
                culprits.append((first, error))
                if breaker.refused():
                    await _try_sample(rows, store, breaker)
                continue
            middle = (first + after) // 2
            todo += [(middle, after), (first, middle)]
    return culprits


async def _try_sample(rows: int, store: Store, breaker: Breaker) -> None:
    last = Rejected("no rows")
    for index in sample(rows):
        try:
            await store(index, index + 1)
        except Rejected as error:
            last = error
        else:
            breaker.accepted()
            return
    raise RefusesAll(last)
