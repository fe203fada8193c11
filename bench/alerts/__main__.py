"""How soon subscribers hear of fraud: python -m bench.alerts [--rate N] [--alerts N] [--every S] [--json FILE].

Runs the whole pipeline in a temporary folder, ingress to Kafka to streams to notify and api, each a process of its own,
with N events per second. Meanwhile one device after the other floods; its 20th click makes the alert. Measured from
that click's 2xx answer: until the alert is in Kafka, until a subscriber has its webhook (verified), until a reader of
the event stream has it. The load generator and both subscribers share the machine with all of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.alerts.floods import RULE, Floods
from bench.alerts.listeners import Listener, read_stream, receiving
from bench.common.command_line import command_line, write_figures
from bench.common.latency import latency_figures
from bench.common.own_pipeline import running_pipeline
from bench.freshness.traffic import Traffic
from cli.local.pipeline import LocalPipeline

_WAIT_S = 30.0


def main() -> None:
    """Measure, print."""
    parser = command_line("python -m bench.alerts", __doc__)
    parser.add_argument("--rate", type=int, default=1000, help="events per second beside the floods")
    parser.add_argument("--alerts", type=int, default=200, help="floods, each of which makes one alert")
    parser.add_argument("--every", type=float, default=0.31, help="seconds between two floods")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.rate, asked.alerts, asked.every))
    show(figures)
    write_figures(asked.json, figures)


async def measure(rate: int, alerts: int, every_s: float) -> list[dict[str, Any]]:
    """Figures per way of hearing of it."""
    async with running_pipeline("alerts", notify={"allow_http": True, "allow_networks": "127.0.0.0/8"}) as pipeline:
        return await _measure(pipeline, rate, alerts, every_s)


async def _measure(pipeline: LocalPipeline, rate: int, alerts: int, every_s: float) -> list[dict[str, Any]]:
    connector, timeout = aiohttp.TCPConnector(limit=64), aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
        aiohttp.ClientSession(timeout=timeout) as floods_http,
        receiving(floods_http, pipeline.api_url, RULE) as webhook,
    ):
        stream = Listener()
        reading = asyncio.create_task(read_stream(floods_http, pipeline.api_url, RULE, stream))
        traffic = Traffic(http, pipeline.webhook_url)
        await traffic.warm_up()
        load = asyncio.create_task(traffic.run(rate))
        floods = Floods(floods_http, pipeline.webhook_url)
        try:
            began = time.perf_counter()
            await floods.run(alerts, every_s)
            await _until_heard(floods, webhook, stream)
            took_s = time.perf_counter() - began
        finally:
            for task in (load, reading):
                task.cancel()
            await asyncio.gather(load, reading, return_exceptions=True)
        print(f"{traffic.accepted} events accepted in {took_s:.0f} s, {traffic.failed} not")
    real_rate = round(traffic.accepted / took_s)
    ways = {"alert in Kafka": webhook.stored, "webhook": webhook.heard, "SSE event": stream.heard}
    return [_figures(name, real_rate, floods.answered, at) for name, at in ways.items()]


async def _until_heard(floods: Floods, *listeners: Listener) -> None:
    deadline = time.perf_counter() + _WAIT_S
    while time.perf_counter() < deadline:
        if all(floods.answered.keys() <= listener.heard.keys() for listener in listeners):
            return
        await asyncio.sleep(0.05)


def _figures(name: str, rate: int, answered: dict[str, float], at: dict[str, float]) -> dict[str, Any]:
    ages = [at[subject] - moment for subject, moment in answered.items() if subject in at]
    return {
        "name": name,
        "events_per_s": rate,
        **latency_figures(ages),
        "alerts": len(ages),
        "missing": len(answered) - len(ages),
    }


def show(figures: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table(title="From the offending click's answer on, seconds (target: p99 below 2)", title_justify="left")
    for name in ("until", "events/s", "p50", "p95", "p99", "max", "alerts", "missing"):
        table.add_column(name, justify="left" if name == "until" else "right")
    keys = ("name", "events_per_s", "p50_s", "p95_s", "p99_s", "max_s", "alerts", "missing")
    for f in figures:
        table.add_row(*[str(f[key]) for key in keys])
    Console().print(table)


if __name__ == "__main__":
    main()
