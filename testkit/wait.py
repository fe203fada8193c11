"""Waiting on conditions: tests never sleep for a fixed time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T]],
    timeout: float = ...,  # noqa: ASYNC109 - see below
    *,
    interval: float = ...,
    what: str = ...,
) -> T: ...


@overload
async def wait_until(
    condition: Callable[[], T],
    timeout: float = ...,  # noqa: ASYNC109 - see below
    *,
    interval: float = ...,
    what: str = ...,
) -> T: ...


async def wait_until(
    condition: Callable[[], T | Awaitable[T]],
    timeout: float = 30.0,  # noqa: ASYNC109 - a poll with a message, which asyncio.timeout cannot give
    *,
    interval: float = 0.05,
    what: str = "",
) -> T:
    """Call `condition` (plain or async) until its result is truthy, and return that result.

    An AssertionError inside the condition means "not yet". Raises AssertionError naming the last result, or the last
    assertion, after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            result = condition()
            value = await result if inspect.isawaitable(result) else result
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not hold within {timeout:g} s; last seen: {last!r}")
        await asyncio.sleep(interval)
