"""Our stream processor over the whole topic: the real Faust worker with everything on, commits included.

With `--hop-1` it leaves merging the roll-ups, and their rules, to another worker: no peer does that work either.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import uvloop

from bench.streams.marks import Marks
from sori.settings import load_settings
from streams import app as streams_app
from streams import wiring
from streams.wiring import StreamApp

_POLL_S = 0.01


async def watched(each: Callable[[StreamApp, int], Awaitable[bool]]) -> None:
    """Run the worker; call `each` with it and the events applied so far, until it returns True."""
    settings = load_settings()
    made: list[StreamApp] = []
    build = wiring.build_app

    def remember(*args: object) -> StreamApp:
        made.append(build(*args))  # type: ignore[arg-type]
        return made[0]

    streams_app.build_app = remember  # type: ignore[assignment,attr-defined] # the worker's own counters are what we watch
    running = asyncio.ensure_future(streams_app.run(settings, asyncio.Event()))
    name = settings.kafka.topic_prefix + "events"
    while not running.done():
        await asyncio.sleep(_POLL_S)
        if made:
            positions = made[0].checkpointer.positions()
            if await each(made[0], sum(at for tp, at in positions.items() if tp.topic == name)):
                return
    raise SystemExit("the worker ended before the topic did")


async def measure(total: int, warmup: int) -> None:
    """Run until every event is applied, flushed and committed."""
    marks = Marks(total, warmup)

    async def each(app: StreamApp, applied: int) -> bool:
        if applied > marks.events:
            marks.reach(applied)
        if applied < total:
            return False
        await app.checkpointer.flush()
        await app.consumer.commit()
        marks.end()
        return True

    await watched(each)
    os._exit(0)  # what Faust leaves behind is not what we measure


def main(arguments: list[str]) -> None:
    """`[--hop-1] RECORDS WARMUP`."""
    if arguments[0] == "--hop-1":
        both = wiring.hops
        wiring.hops = lambda settings, verdicts=None: both(settings, verdicts)[:1]
    uvloop.run(measure(*map(int, arguments[-2:])))


if __name__ == "__main__":
    main(sys.argv[1:])
