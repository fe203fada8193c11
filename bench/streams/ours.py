"""Our stream processor over the whole corpus: the real Faust worker with everything on, commits included."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop

from sori.settings import load_settings
from streams import app as streams_app
from streams.app import StreamApp


async def measure(events: int) -> None:
    """Run until every event is applied, flushed and committed; print the measurement and end the process."""
    stop = asyncio.Event()
    settings = load_settings()
    made: list[StreamApp] = []
    build = streams_app.build_app

    def remember(*args: object) -> StreamApp:
        made.append(build(*args))  # type: ignore[arg-type]
        return made[0]

    streams_app.build_app = remember  # type: ignore[assignment] # the worker's own counters are what we watch
    running = asyncio.ensure_future(streams_app.run(settings, stop))
    name = settings.kafka.topic_prefix + "events"
    began = cpu = 0.0
    while not running.done():
        await asyncio.sleep(0.01)
        if not made:
            continue
        worker = made[0].checkpointer
        applied = sum(at for tp, at in worker.positions().items() if tp.topic == name)
        if applied and not began:
            began, cpu, first = time.perf_counter(), time.process_time(), applied
        if applied >= events:
            committed = sum(point.offset for tp, point in worker.flush_points().items() if tp.topic == name)
            if committed >= events:
                break
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"events": events - first, "seconds": seconds, "cpu_seconds": used}), flush=True)
    os._exit(0)  # what Faust leaves behind is not what we measure


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1])))
