"""Waiting for a Kafka that does not answer: outputs stay where they are, in order, and go out when it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from runtime.kafka.clients import bounded

T = TypeVar("T")

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """After `silence_s` without an answer `tell` hears of it, again and again, with the seconds so far.

    It is over after `limit_s`, or after `silence_s` once `over` says that there is no point in waiting.
    """

    silence_s: float
    limit_s: float
    tell: Callable[[float], None]
    over: Callable[[], bool]


async def patiently(awaitable: Awaitable[T], what: str, patience: Patience) -> T:
    """Await a call without cancelling it. Raises StorageUnavailable when it fails, or when patience is over."""
    task, began = asyncio.ensure_future(awaitable), time.monotonic()
    while True:
        waited = time.monotonic() - began
        if waited >= patience.silence_s:
            if waited >= patience.limit_s or patience.over():
                return await bounded(task, 0, what)
            patience.tell(waited)
        if (await asyncio.wait({task}, timeout=min(_LOOK_S, patience.silence_s)))[0]:
            return await bounded(task, _LOOK_S, what)
