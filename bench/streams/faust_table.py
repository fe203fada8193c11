"""The idiomatic peer: a Faust agent and one windowed table, as its documentation shows. No dedupe, no rules."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

import faust

from bench.streams.marks import Marks

BOOTSTRAP, TOPIC, GROUP = os.environ["BENCH_BOOTSTRAP"], os.environ["BENCH_TOPIC"], os.environ["BENCH_GROUP"]
marks = Marks(int(sys.argv[1]), int(sys.argv[2]))

app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    datadir=tempfile.mkdtemp(),
    web_enabled=False,
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    topic_disable_leader=True,
    broker_max_poll_records=5000,
    broker_commit_interval=1.0,
    stream_recovery_delay=0.0,
)
events = app.topic(TOPIC, value_type=bytes, value_serializer="json")
ctr = app.Table("ctr", default=int).tumbling(60.0, expires=600.0)


@app.agent(events)
async def count(stream):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as Faust's documentation writes it
    """Count per campaign and event name in tumbling minutes."""
    async for event in stream:
        if campaign := event.get("campaign"):
            ctr[(campaign["id"], event["event"])] += 1
        if marks.count():
            await app.producer.flush()
            await app.consumer.commit()
            marks.end(counted=sum(ctr.table.values()))
            os._exit(0)


async def main() -> None:
    """Run until the agent has seen enough."""
    app.finalize()
    await app.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
