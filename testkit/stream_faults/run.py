"""One run: traffic, faults, and the verdict when all is read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sori.settings.kafka import KafkaSettings
from testkit.stream_faults.traffic import Traffic, produce
from testkit.stream_faults.verdict import Verdict, judge
from testkit.stream_faults.workers import Fleet
from testkit.upserts import UpsertTables


@dataclass
class Run:
    """What was done and what came of it. `ended`: workers that were down when traffic ended, and were started.

    Of partitions: `replays` of the log, snapshots `loaded` and `refused`.
    """

    verdict: Verdict
    faults: Counter[str]
    events: int
    ended: int
    settle_s: float
    replays: int
    loaded: int
    refused: int
    exit_codes: list[int]


@dataclass(frozen=True)
class Plan:
    """`script`: faults in turn; without one they are drawn for `seconds`."""

    seed: int = 1
    seconds: float = 30.0
    rate: float = 1_500.0
    least: int = 24_000
    workers: int = 3
    script: tuple[str, ...] = ()
    snapshots: bool = True
    pause_s: tuple[float, float] = (0.5, 4.0)
    settle_limit_s: float = 90.0


async def run(
    kafka: KafkaSettings,
    folder: Path,
    plan: Plan,
    say: Callable[[str], None],
    between: Callable[[], Awaitable[None]] | None = None,
) -> Run:
    """Run the plan on topics that exist and are empty; `between` is awaited before each fault instead of a pause."""
    rng = Random(plan.seed)
    fleet = Fleet(kafka, f"{kafka.topic_prefix}chaos", folder, plan.workers, rng, plan.snapshots)
    traffic, enough, ended = Traffic(plan.seed), asyncio.Event(), 0
    fleet.start()
    try:
        async with UpsertTables(kafka) as tables:
            sending = asyncio.create_task(produce(kafka, traffic, plan.rate, plan.least, enough))
            reading = asyncio.create_task(_read(tables))
            ends = time.monotonic() + plan.seconds
            script = list(plan.script)
            while script if plan.script else time.monotonic() < ends:
                await (between() if between else asyncio.sleep(rng.uniform(*plan.pause_s)))
                say(await fleet.befall(script.pop(0) if script else None))
            enough.set()
            await sending
            ended += fleet.restart_dead()
            began, verdict = time.monotonic(), judge(tables, traffic)
            while not verdict.exact and time.monotonic() < began + plan.settle_limit_s:
                await asyncio.sleep(0.5)
                ended += fleet.restart_dead()
                verdict = judge(tables, traffic)
            reading.cancel()
            await asyncio.wait([reading])
            await fleet.settled()
    finally:
        codes = await asyncio.to_thread(fleet.stop)
    counts = fleet.logged("replayed"), fleet.logged("snapshot_loaded"), fleet.logged("snapshot_refused")
    return Run(verdict, fleet.done, traffic.sent, ended, time.monotonic() - began, *counts, codes)


async def _read(tables: UpsertTables) -> None:
    while True:
        await tables.poll()
