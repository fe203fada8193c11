"""Work on large bodies, off the loop: one at a time, clients by turns, so that nobody's bombs delay the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")
#: Those who wait, by client; the client whose turn is next stands first.
_Lane = dict[str, dict[asyncio.Future[None], None]]


class TooBusy(OSError):
    """The turn did not come in time."""


class LargeBodies:
    """One thread. Senders whose connection has carried a verified event go first; others take turns by client."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._lanes: tuple[_Lane, _Lane] = {}, {}
        self._busy = False
        self._thread = ThreadPoolExecutor(1, "large-bodies")

    @property
    def waiting(self) -> int:
        """Bodies whose turn has not come."""
        return sum(len(turns) for lane in self._lanes for turns in lane.values())

    async def run(self, client: str, work: Callable[[], Result], *, proven: bool) -> Result:
        """The result of `work`, done in the thread when it is the client's turn. Raises TooBusy, or what it raises."""
        if self._busy:
            await self._turn(self._lanes[not proven], client)
        self._busy = True
        try:
            # shielded: the thread goes on with what it has begun, and nobody else may begin meanwhile
            done: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(self._thread, work)
            done.add_done_callback(self._pass_on)
        except BaseException:
            self._pass_on(None)
            raise
        return await asyncio.shield(done)

    async def _turn(self, lane: _Lane, client: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.setdefault(client, {})[turn] = None
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except TimeoutError as error:
            raise TooBusy("too many large bodies at once") from error
        finally:
            turns = lane.get(client)
            if turns is not None:
                turns.pop(turn, None)
                if not turns:
                    del lane[client]

    def _pass_on(self, _done: object) -> None:
        """It is the next one's turn: proven senders first, then the clients one after the other."""
        self._busy = False
        for lane in self._lanes:
            for client in list(lane)[:1]:
                turns = lane.pop(client)
                turn = next(iter(turns))
                del turns[turn]
                if turns:
                    lane[client] = turns  # behind the others
                if not turn.done():
                    self._busy = True
                    turn.set_result(None)
                    return

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
