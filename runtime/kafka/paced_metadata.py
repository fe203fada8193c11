"""A consumer whose topic is gone asks for metadata again as soon as it has an answer, thousands of times a second.

aiokafka (0.14, consumer/fetcher.py) has no backoff there: it takes a whole core, and the broker's time, until the topic
is back. So no more than a few in a second go out; who asks for more waits for the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

#: So many at once are usual, as while a client starts.
_AT_ONCE = 5
_PER_S = 1.0


class PacedMetadata:
    """Stands before `force_metadata_update` of an aiokafka client."""

    def __init__(self, client: Any) -> None:
        self._force = client.force_metadata_update
        self._asked: deque[float] = deque(maxlen=_AT_ONCE)
        self._next: asyncio.Future[bool] | None = None

    def __call__(self) -> asyncio.Future[bool]:
        """Whether metadata was updated, once it is known."""
        if self._next is not None:
            return asyncio.shield(self._next)
        loop = asyncio.get_running_loop()
        wait_s = self._asked[0] + _PER_S - loop.time() if len(self._asked) == _AT_ONCE else 0.0
        if wait_s <= 0:
            self._asked.append(loop.time())
            return self._force()  # type: ignore[no-any-return]
        self._next = loop.create_future()
        loop.call_later(wait_s, self._ask, self._next)
        return asyncio.shield(self._next)

    def _ask(self, waiting: asyncio.Future[bool]) -> None:
        self._next = None
        self().add_done_callback(lambda done: _tell(done, waiting))


def _tell(done: asyncio.Future[bool], waiting: asyncio.Future[bool]) -> None:
    if not waiting.done():
        waiting.set_result(not done.cancelled() and done.exception() is None and done.result())
