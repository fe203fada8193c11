"""Finds the rows that make an insert fail, in O(culprits x log rows) tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sinks.insert.failures import Rejected

#: Stores rows [first, after) or raises Rejected; must wait out everything that is not about the rows.
Store = Callable[[int, int], Awaitable[None]]


async def store_the_good(rows: int, store: Store) -> list[tuple[int, Rejected]]:
    """Store every acceptable row of `rows`; return the index and error of each that ClickHouse refuses.

    The halves are always cut the same way, so that a repeated bisection repeats the same inserts under the same names.
    """
    culprits: list[tuple[int, Rejected]] = []
    todo = [(0, rows)]
    while todo:
        first, after = todo.pop()
        if first == after:
            continue
        try:
            await store(first, after)
        except Rejected as error:
            if after - first == 1:
                culprits.append((first, error))
                continue
            middle = (first + after) // 2
            todo += [(middle, after), (first, middle)]
    return culprits
