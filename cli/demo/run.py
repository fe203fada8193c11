"""One demo run: pipeline up, traffic, live view, drain, verdict, pipeline down."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.console import Console

from cli.demo.live import LiveView
from cli.demo.source import Source
from cli.demo.truth import Truth, read_truth
from cli.demo.verdict import Verdict, judge
from cli.local.environment import child_environment
from cli.local.pipeline import LocalPipeline
from runtime.process.supervisor import ProcessChild
from sori.errors import QueryError, StorageUnavailable

_REFRESH_S = 1.0
_DRAIN_TIMEOUT_S = 60.0
#: Retries of the last event: 1, 2 and 4 s apart, each waiting up to 5 s.
_SIMULATOR_EXTRA_S = 40.0
_SIMULATOR_CODES = {0, 1}  # 1: something was dropped, which the verdict does not hold against the pipeline

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the simulator is to do."""

    duration_s: float
    rate: float
    seed: int


async def run(pipeline: LocalPipeline, traffic: Traffic, folder: Path, console: Console) -> Verdict:
    """Run the whole demo on a pipeline that is not started yet. Raises SoriError; stops everything in any case."""
    began = time.monotonic()
    try:
        with console.status("starting Kafka, ClickHouse and the stages"):
            await pipeline.start()
        console.print(
            f"webhook {pipeline.webhook_url}   live page {pipeline.api_url}/   logs {pipeline.logs}", soft_wrap=True
        )
        console.print("the live page is there until the end: open it in a browser and watch", soft_wrap=True)
        metrics = "   ".join(f"{name} {url}" for name, url in pipeline.metrics_urls.items())
        console.print(f"metrics {metrics}", soft_wrap=True)
        source = Source(pipeline.settings, pipeline.api_url)
        truth = await _simulate(pipeline, traffic, folder, source, console)
        with console.status("waiting until every stage has caught up, then comparing with the truth"):
            return await reconcile(truth, source, began)
    finally:
        with console.status("stopping"):
            await pipeline.stop()


async def _simulate(pipeline: LocalPipeline, traffic: Traffic, folder: Path, source: Source, console: Console) -> Truth:
    truth = folder / "truth.ndjson"
    options = {
        "--url": pipeline.webhook_url,
        "--rate": traffic.rate,
        "--duration": traffic.duration_s,
        "--seed": traffic.seed,
        "--truth": truth,
        "--report": folder / "simulator.json",
    }
    arguments = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", "cli.main", "simulate", *arguments]
    log_file = folder / "logs" / "simulate.log"
    simulator = ProcessChild(command, child_environment(pipeline.overrides), log_file)
    await simulator.start()
    ended = asyncio.create_task(simulator.wait())
    try:
        await _watch(ended, source, traffic.duration_s, console)
        if ended.result() not in _SIMULATOR_CODES:
            raise StorageUnavailable(f"the simulator failed with exit code {ended.result()}; see {log_file}")
    finally:
        await simulator.stop(5.0)
        await ended
    with truth.open("rb") as lines:
        return read_truth(lines)


async def _watch(ended: asyncio.Task[int], source: Source, duration_s: float, console: Console) -> None:
    deadline = time.monotonic() + duration_s + _SIMULATOR_EXTRA_S
    with LiveView(console, duration_s) as view:
        while not ended.done():
            if time.monotonic() > deadline:
                raise StorageUnavailable("the simulator does not come to an end")
            # A stage that restarts right now is no reason to give up: the verdict comes at the end.
            with suppress(QueryError, StorageUnavailable):
                view.show(await source.snapshot())
            await asyncio.wait({ended}, timeout=_REFRESH_S)


async def reconcile(truth: Truth, source: Source, began: float) -> Verdict:
    """Wait until every stage has caught up, then compare; `began` is the monotonic second of the start."""
    await _drained(source)
    stored, differences, alerts = await source.stored(), await source.ctr_differences(), await source.alerts()
    return judge(truth, stored, differences, alerts, time.monotonic() - began)


async def _drained(source: Source) -> None:
    """Wait until no consumer group is behind, twice in a row: what one stage finishes, the next has still to read."""
    deadline = time.monotonic() + _DRAIN_TIMEOUT_S
    quiet = 0
    lags: dict[str, int] = {}
    while quiet < 2:
        if time.monotonic() > deadline:
            _log.warning("demo_not_caught_up", lags=lags)
            return
        with suppress(StorageUnavailable):
            lags = await source.lags()
            quiet = 0 if any(lags.values()) else quiet + 1
        await asyncio.sleep(0.2)


def summary_rows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The summary, name and value."""
    for name, value in verdict.report().items():
        yield name.replace("_", " "), str(value)
    yield "flash crowds alerted", str(len(verdict.alerted_crowds))
