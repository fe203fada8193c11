"""How old is what people see: python -m bench.freshness [--rate N] [--seconds S] [--json FILE].

Runs `sori up` in a temporary folder with N events per second, and every quarter of a second one event of a campaign
of its own. Measured per such event: from the webhook's answer until its campaign can be queried in ctr_by_minute, and
until it is in events_current.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.freshness.traffic import Traffic
from sori.cli.local.pipeline import LocalPipeline

_PROBE_EVERY_S = 0.25
_POLL_S = 0.02
_VIEWS = ("ctr_by_minute", "events_current")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000, help="events per second beside the probes")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.rate, asked.seconds))
    show(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


async def measure(rate: int, seconds: float) -> list[dict[str, Any]]:
    """Figures per view."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = {
            "data_dir": Path(folder),
            "ingest": {"port": 0},
            "api": {"port": 0},
            "broker": {"port": 0},
            "streams": {"admin_port": 0},
            "sinks": {"admin_port": 0},
        }
        pipeline = LocalPipeline.resolve(None, overrides, Path(folder) / "logs")
        try:
            await pipeline.start()
            return await _measure(pipeline, rate, seconds)
        finally:
            await pipeline.stop()


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
    return [_figures(view, rate, sorted(at - answered[c] for c, at in found.items())) for view, found in seen.items()]


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
    cuts = statistics.quantiles(ages, n=100, method="inclusive")
    return {
        "name": view,
        "events_per_s": rate,
        "p50_s": round(cuts[49], 3),
        "p95_s": round(cuts[94], 3),
        "p99_s": round(cuts[98], 3),
        "max_s": round(ages[-1], 3),
        "probes": len(ages),
    }


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
