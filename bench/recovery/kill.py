"""`kill -9` of the only worker, and what comes after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bench.recovery.pipeline import GaveUp, Pipeline, logged, seconds_since, until
from testkit.stage_process import StageProcess


@dataclass(frozen=True)
class Recovery:
    """One measurement, seconds from the kill: partitions assigned, the last partition replayed, caught up.

    `loading_s`: of that, reading snapshots of `snapshot_bytes`. `gave_up`: why there are no figures.
    """

    rate: float
    lateness_s: int
    static: bool
    snapshots: bool
    assigned_s: float = 0.0
    loading_s: float = 0.0
    replayed_s: float = 0.0
    caught_up_s: float = 0.0
    replayed_events: int = 0
    snapshot_bytes: int = 0
    gave_up: str = ""


async def recoveries(pipeline: Pipeline, *, static: bool, snapshots: list[bool]) -> AsyncIterator[Recovery]:
    """With snapshots, then without, as far as asked for: the worker of one is killed for the next."""
    member, running = "bench" if static else "", pipeline.worker(member="bench" if static else "", snapshots=True)
    running.start()
    try:
        for kept in sorted(snapshots, reverse=True):
            worker = pipeline.worker(member=member, snapshots=kept)
            try:
                await pipeline.settled(snapshots=kept)
                killed, running = running, worker
                yield await _kill(pipeline, killed, worker, static=static, snapshots=kept)
            except GaveUp as error:
                yield Recovery(pipeline.rate, pipeline.lateness_s, static, kept, gave_up=str(error))
    finally:
        await asyncio.to_thread(running.stop)


async def _kill(
    pipeline: Pipeline, running: StageProcess, worker: StageProcess, *, static: bool, snapshots: bool
) -> Recovery:
    before = await pipeline.commits()
    began, wall_s = time.monotonic(), time.time()
    await asyncio.to_thread(running.kill)
    worker.start()  # at once, as a supervisor does

    async def recovered() -> bool:
        now = await pipeline.commits()  # right after the kill they lie where they lay: not far behind, and stay there
        return all(now[tp].offset > point.offset for tp, point in before.items()) and await pipeline.caught_up()

    await until("catching up after the kill", recovered)
    took_s = time.monotonic() - began
    loads, replays = logged(worker, "snapshot_loaded"), logged(worker, "replayed")
    assigned_s = seconds_since(wall_s, next(line for line in logged(worker, "assigned") if line["partitions"]))
    return Recovery(
        pipeline.rate,
        pipeline.lateness_s,
        static,
        snapshots,
        round(assigned_s, 2),
        round(sum(line["seconds"] for line in loads), 2),
        round(max((seconds_since(wall_s, line) for line in replays), default=assigned_s), 2),
        round(took_s, 2),
        sum(line["to"] - line["low"] for line in replays if line["topic"].endswith(".events")),
        sum(line["bytes"] for line in loads),
    )
