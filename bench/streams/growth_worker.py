"""One of several workers: waits at a gate until all of them have their partitions, then runs and tells how far it is.

Argument: the file whose existence opens the gate. Prints a JSON line every 50 ms: partitions, events applied, CPU.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop

from bench.streams.ours import watched
from streams.kafka.transport import BatchConsumer
from streams.wiring import StreamApp

_TELL_EVERY_S = 0.05


async def work(gate: Path) -> None:
    """Run until killed."""
    fetch, is_open = BatchConsumer.getmany, gate.exists

    async def gated(self: BatchConsumer, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109 - Faust's own
        while not is_open():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        async for one in fetch(self, timeout):
            yield one

    BatchConsumer.getmany = gated  # type: ignore[method-assign]
    told = 0.0

    async def each(app: StreamApp, applied: int) -> bool:
        nonlocal told
        now = time.perf_counter()
        if now - told > _TELL_EVERY_S:
            told = now
            events = [tp for tp in app.checkpointer.positions() if tp.topic.endswith("events")]
            line = {"assigned": len(events), "applied": applied, "at": now, "cpu": time.process_time()}
            print(json.dumps(line), flush=True)
        return False

    await watched(each)


if __name__ == "__main__":
    uvloop.run(work(Path(sys.argv[1])))
