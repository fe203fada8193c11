"""The idiomatic peer: a Faust agent and one windowed table, as its documentation shows. No dedupe, no rules."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time

import faust

BOOTSTRAP, TOPIC, GROUP = os.environ["BENCH_BOOTSTRAP"], os.environ["BENCH_TOPIC"], os.environ["BENCH_GROUP"]
EVENTS = int(sys.argv[1])

app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    datadir=tempfile.mkdtemp(),
    web_enabled=False,
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    topic_disable_leader=True,
    broker_max_poll_records=5000,
    stream_recovery_delay=0.0,
)
events = app.topic(TOPIC, value_type=bytes, value_serializer="json")
ctr = app.Table("ctr", default=int).tumbling(60.0, expires=600.0)
progress = {"count": 0, "began": 0.0, "cpu": 0.0}


@app.agent(events)
async def count(stream):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as Faust's documentation writes it
    """Count per campaign and event name in tumbling minutes."""
    async for event in stream:
        if not progress["count"]:
            progress["began"], progress["cpu"] = time.perf_counter(), time.process_time()
        ctr[(event["campaign"]["id"], event["event"])] += 1
        progress["count"] += 1
        if progress["count"] == EVENTS:
            seconds, used = time.perf_counter() - progress["began"], time.process_time() - progress["cpu"]
            print(json.dumps({"events": EVENTS, "seconds": seconds, "cpu_seconds": used}), flush=True)
            os._exit(0)


async def main() -> None:
    """Run until the agent has seen enough."""
    app.finalize()
    await app.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
