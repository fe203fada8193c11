"""A rolling restart of two workers, one after the other, and how late alerts are meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.common.latency import latency_figures
from bench.recovery.alerts import Floods
from bench.recovery.pipeline import GaveUp, Pipeline, filled, logged, until
from testkit.stage_process import StageProcess

_EVERY_S = 0.1
#: How long alerts are looked at before, and after, and how long the last ones are waited for.
_CALM_S, _PATIENCE_S = 10.0, 60.0


@dataclass(frozen=True)
class Rolling:
    """Alert latencies from the first stop until both run again, seconds; `calm_p99_s`: before.

    `member`: `static` and `dynamic` workers are stopped, and started again; of `surge` the next one is in the group
    before the last one is told to stop; of `standby` it waits beside that one, its state loaded. `step_s`: how long
    each restart took.
    """

    rate: float
    lateness_s: int
    member: str
    alerts: int = 0
    missing: int = 0
    calm_p99_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None
    step_s: tuple[float, ...] = ()
    gave_up: str = ""


async def rolling(
    bootstrap: str, folder: Path, where: tuple[float, int], member: str, say: Callable[[str], None]
) -> Rolling:
    """Two workers with snapshots; one after the other is replaced. `where`: rate and lateness."""
    async with filled(bootstrap, folder, *where, say) as pipeline:
        workers = [_worker(pipeline, number, member) for number in range(2)]
        floods = Floods(pipeline.kafka)
        tasks: list[asyncio.Task[None]] = []
        try:
            for worker in workers:
                worker.start()
            await until("both workers in the group", lambda: _all_assigned(workers))
            await pipeline.settled(snapshots=True)
            tasks += [asyncio.create_task(floods.listen()), asyncio.create_task(floods.flood(_EVERY_S))]
            await asyncio.sleep(_CALM_S)
            began = time.monotonic()
            step_s = [await _roll(pipeline, workers, number, member) for number in range(len(workers))]
            ended = time.monotonic()
            await asyncio.sleep(_CALM_S)
            tasks.pop().cancel()
            await _heard(floods)
        except GaveUp as error:
            return Rolling(*where, member, gave_up=str(error))
        finally:
            for task in tasks:
                task.cancel()
            for worker in workers:
                await asyncio.to_thread(worker.stop)
    return _figures(floods, (*where, member), (began, ended), tuple(step_s))


async def _roll(pipeline: Pipeline, workers: list[StageProcess], number: int, member: str) -> float:
    """Replace one and wait until all is ready; returns how long that took, seconds."""
    began, last = time.monotonic(), workers[number]
    workers[number] = _worker(pipeline, number, member, standby=member == "standby")
    if member in {"static", "dynamic"}:
        await asyncio.to_thread(last.stop)
    workers[number].start()
    try:
        if member == "standby":
            await until("the next worker's state", lambda: _warm(workers[number]))
            await asyncio.to_thread(last.stop)
        await until("the next worker in the group", lambda: _all_assigned([workers[number]]))
    finally:
        await asyncio.to_thread(last.stop)
    await until("catching up after a stop", pipeline.caught_up)
    return round(time.monotonic() - began, 2)


def _worker(pipeline: Pipeline, number: int, member: str, *, standby: bool = False) -> StageProcess:
    static = f"bench-{number}" if member in {"static", "standby"} else ""
    return pipeline.worker(member=static, snapshots=True, standby=standby)


async def _warm(worker: StageProcess) -> bool:
    return bool(logged(worker, "standby_warm"))


async def _all_assigned(workers: list[StageProcess]) -> bool:
    return all(any(line["partitions"] for line in logged(worker, "assigned")) for worker in workers)


async def _heard(floods: Floods) -> None:
    async def all_heard() -> bool:
        return not floods.missing()

    with suppress(GaveUp):  # what is missing is counted
        await until("the last alerts", all_heard, _PATIENCE_S)


def _figures(
    floods: Floods, of: tuple[float, int, str], span: tuple[float, float], step_s: tuple[float, ...]
) -> Rolling:
    found, (began, ended) = floods.latencies(), span
    meanwhile = latency_figures(took for device, took in found.items() if began <= floods.sent[device] <= ended)
    calm = latency_figures(took for device, took in found.items() if floods.sent[device] < began)
    return Rolling(
        *of,
        alerts=len(found),
        missing=len(floods.missing()),
        calm_p99_s=calm["p99_s"],
        p50_s=meanwhile["p50_s"],
        p99_s=meanwhile["p99_s"],
        max_s=meanwhile["max_s"],
        step_s=step_s,
    )
