"""How old is what people see: python -m bench.freshness [--rate N] [--seconds S] [--json FILE].

Runs `sori up` in a temporary folder with N events per second, and every quarter of a second one event of a campaign
of its own. Measured per such event: from the webhook's answer until its campaign can be queried in ctr_by_minute, and
until it is in events_current.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from bench.common.latency import latency_figures
from bench.common.own_pipeline import running_pipeline
from bench.freshness.traffic import Traffic
from cli.local.pipeline import LocalPipeline

_PROBE_EVERY_S = 0.25
_POLL_S = 0.02
_VIEWS = ("ctr_by_minute", "events_current")


def main() -> None:
    """Measure, print."""
    parser = command_line("python -m bench.freshness", __doc__)
    parser.add_argument("--rate", type=int, default=1000, help="events per second beside the probes")
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.rate, asked.seconds))
    show(figures)
    write_figures(asked.json, figures)


async def measure(rate: int, seconds: float) -> list[dict[str, Any]]:
    """Figures per view."""
    async with running_pipeline("freshness") as pipeline:
        return await _measure(pipeline, rate, seconds)


async def _measure(pipeline: LocalPipeline, rate: int, seconds: float) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(total=10)
    ) as http:
        traffic = Traffic(http, pipeline.webhook_url)
        await traffic.warm_up()
        load = asyncio.create_task(traffic.run(rate))
        answered: dict[str, float] = {}
        seen: dict[str, dict[str, float]] = {view: {} for view in _VIEWS}
        watching = [asyncio.create_task(_watch(http, pipeline.api_url, view, answered, seen[view])) for view in _VIEWS]
        for number in range(int(seconds / _PROBE_EVERY_S)):
            campaign = f"probe_{number}"
            await traffic.send(campaign)
            answered[campaign] = time.perf_counter()
            await asyncio.sleep(_PROBE_EVERY_S)
        deadline = time.perf_counter() + 60
        while any(len(found) < len(answered) for found in seen.values()) and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        for task in (load, *watching):
            task.cancel()
        await asyncio.gather(load, *watching, return_exceptions=True)
        print(f"{traffic.accepted} events accepted, {traffic.failed} not")
    return [_figures(view, rate, [at - answered[c] for c, at in found.items()]) for view, found in seen.items()]


async def _watch(
    http: aiohttp.ClientSession, api: str, view: str, answered: dict[str, float], seen: dict[str, float]
) -> None:
    """Ask again and again which probes are visible."""
    while True:
        waiting = [f"'{campaign}'" for campaign in answered if campaign not in seen]
        if waiting:
            sql = f"SELECT DISTINCT campaign_id FROM {view} WHERE campaign_id IN ({', '.join(waiting)}) FORMAT TSV"  # noqa: S608 - ours
            async with http.post(f"{api}/v1/query", data=sql) as answer:
                names = (await answer.text()).split()
            now = time.perf_counter()
            seen |= {name: now for name in names if name not in seen}
        await asyncio.sleep(_POLL_S)


def _figures(view: str, rate: int, ages: list[float]) -> dict[str, Any]:
    return {"name": view, "events_per_s": rate, **latency_figures(ages), "probes": len(ages)}


def show(figures: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table(title="From the webhook's answer until it can be queried, seconds", title_justify="left")
    for name in ("view", "events/s", "p50", "p95", "p99", "max", "probes"):
        table.add_column(name, justify="left" if name == "view" else "right")
    for f in figures:
        table.add_row(*[str(f[k]) for k in ("name", "events_per_s", "p50_s", "p95_s", "p99_s", "max_s", "probes")])
    Console().print(table)


if __name__ == "__main__":
    main()
