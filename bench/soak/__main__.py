"""`make soak`: the whole pipeline as `sori up` runs it, under steady signed traffic with an attack now and then.

Measured: every accepted event by its number in events_current; what `sori verify` finds; freshness, from the answer
to an event until its window can be read; alert latency, from the answer to the click that tips the scale until the
alert is on the event stream; resident memory and processor share of each process. Exit code 1 when an event is lost
or counted twice, an attack goes unnoticed, a process dies or its memory grows. Ctrl-C ends it early with its figures.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
from rich.console import Console

from bench.common.command_line import command_line, scratch_folder, write_figures
from bench.common.own_pipeline import own_pipeline
from bench.soak.memory import Watched
from bench.soak.report import Report, draw, show
from bench.soak.seen import Reader
from bench.soak.traffic import SECRET, Traffic
from cli.local.pipeline import LocalPipeline
from runtime.process.signals import stop_event
from sori.errors import SoriError

console = Console(highlight=False)
_WARM_UP_S = 10.0
_SAY_EVERY_S = 30.0


async def soak(options: argparse.Namespace, folder: Path) -> tuple[Report, Watched]:
    """Run it; whatever goes wrong is in the report, beside all that was seen until then."""
    pipeline = own_pipeline(folder, ingest={"secret_keys": SECRET})
    report = Report(options.rate)
    # windows stay open for the allowed lateness: until then the stream stage fills by design
    settle_s = pipeline.settings.streams.lateness_s + 60.0
    watched = Watched(pipeline.supervisor, max(1.0, options.minutes * 60 / 200), settle_s)
    try:
        await pipeline.start()
        await _under_load(pipeline, options, report, watched)
    except (SoriError, aiohttp.ClientError, OSError, TimeoutError) as error:
        report.error = f"{type(error).__name__}: {error}"
    finally:
        await pipeline.stop()
    return report, watched


async def _under_load(pipeline: LocalPipeline, options: argparse.Namespace, report: Report, watched: Watched) -> None:
    connector, timeout = aiohttp.TCPConnector(limit=256), aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        traffic, reader = Traffic(http, pipeline.webhook_url, options.repetitions), Reader(http, pipeline.api_url)
        freshness: list[float | None] = []
        load = asyncio.create_task(traffic.run(options.rate))
        console.print(f"live page {pipeline.api_url}/   logs {pipeline.logs}", soft_wrap=True)
        await asyncio.sleep(_WARM_UP_S)
        begun, before = time.monotonic(), len(traffic.accepted)
        tasks = [
            asyncio.create_task(work)
            for work in (
                watched.run(),
                reader.follow_alerts(traffic),
                _attack(traffic, options.attack_every),
                _probe(reader, traffic, freshness),
                _tell(traffic, freshness, watched),
            )
        ]
        try:
            with stop_event() as stop:
                ended = asyncio.create_task(stop.wait())
                await asyncio.wait(
                    {load, ended, *tasks}, timeout=options.minutes * 60, return_when=asyncio.FIRST_COMPLETED
                )
                ended.cancel()
        finally:
            report.seconds, report.sent = time.monotonic() - begun, len(traffic.accepted) - before
            await _end([load, *tasks[2:]])
            await asyncio.sleep(3.0)  # the last alerts are on their way
            await _end(tasks)
            _fill(report, traffic, freshness, watched)
            report.asked_again = dict(reader.asked_again)
        console.print("comparing every event with what was accepted")
        report.counted = await reader.counted(traffic)
        report.differing_windows = await reader.differing_windows()
        report.recounted_for_repetitions = await reader.repetitions()
        report.restarts = watched.restarts


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel them; one that had failed says why."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            console.print(f"[red]{type(result).__name__}: {result}[/]")


def _fill(report: Report, traffic: Traffic, freshness: list[float | None], watched: Watched) -> None:
    report.refused, report.slowest_answer_s = dict(traffic.refused), traffic.slowest_s
    report.repeated = dict(traffic.repeated)
    report.freshness_s = [age for age in freshness if age is not None]
    report.unseen_probes = len(freshness) - len(report.freshness_s)
    complete = [attack for attack in traffic.attacks.values() if len(attack.answered) >= 45]
    report.attacks = len(complete)
    report.alerts_s = [attack.latency_s for attack in complete if attack.latency_s is not None]
    report.trends, report.cpu_s, report.restarts = watched.trends(), dict(watched.cpu_s), watched.restarts


async def _attack(traffic: Traffic, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await traffic.attack()


async def _probe(reader: Reader, traffic: Traffic, freshness: list[float | None]) -> None:
    number = 0
    while True:
        number += 1
        _, age = await asyncio.gather(asyncio.sleep(1.0), reader.probe(traffic, number))
        freshness.append(age)


async def _tell(traffic: Traffic, freshness: list[float | None], watched: Watched) -> None:
    while True:
        await asyncio.sleep(_SAY_EVERY_S)
        memory = "  ".join(f"{name} {samples[-1][1]:.0f} MB" for name, samples in watched.samples.items())
        console.print(f"{len(traffic.accepted):,} sent, freshness {freshness[-1] if freshness else '-'} s, {memory}")


def main() -> None:
    """Parse, run, print, write."""
    parser = command_line("make soak", __doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long, after 10 s of warming up")
    parser.add_argument("--rate", type=int, default=1000, help="events per second beside probes and attacks")
    parser.add_argument("--attack-every", type=float, default=10.0, help="pause between two attacks, seconds")
    parser.add_argument(
        "--repetitions",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of deliveries that repeat an event with another created_at, device, place, or late, such as 0.05",
    )
    parser.add_argument("--picture", type=Path, help="draw memory over time into this file (.svg or .png)")
    options = parser.parse_args()
    with scratch_folder("soak") as folder:
        report, watched = asyncio.run(soak(options, Path(folder)))
    show(report, console)
    write_figures(options.json, report.figures())
    if options.picture:
        draw(watched.samples, report, options.picture)
    sys.exit(bool(report.faults()))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
