"""How soon the live page is drawn: python -m bench.live_page [--loads N] [--minutes M] [--json FILE].

The api of an embedded engine with M minutes of windows, and Debian's chromium, headless. Measured per load, from the
start of the navigation: `paint` until something is seen (first contentful paint), `drawn` until the chart is in the
page. `first`: in a profile with an empty cache, the first of them of a browser that has just started. `answer` is
/v1/live alone: every question of the page at once.

With --url and --pictures it measures nothing and photographs a page that runs already, such as that of `make soak`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import async_playwright
from rich.console import Console
from rich.table import Table

from api.service import serving
from runtime.clickhouse.client import open_client
from sori.settings import load_settings
from testkit.live_page_data import fill

_DRAWN = "#time-chart path.line"
#: When the chart came into the page, by the page's own clock: asking from outside takes as long again when busy.
_WATCH = f"""
    const look = () => {{ if (document.querySelector("{_DRAWN}")) window.drawnAt ??= performance.now(); }};
    new MutationObserver(look).observe(document, {{ subtree: true, childList: true }});"""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()"
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]


async def measure(loads: int, minutes: int, folder: Path) -> list[dict[str, Any]]:
    """Figures of loads and answers, milliseconds."""
    off = {"admin_port": 0}
    settings = load_settings(data_dir=folder, api={"port": 0}, ingest={"port": 1}, streams=off, sinks=off, notify=off)
    with open_client(settings.clickhouse_dsn) as client:
        fill(client, minutes)
        async with serving(settings) as url:
            answers = [await _answer(url) for _ in range(loads)]
            found = await _drawn(url, loads)
    return [_figures(name, values) for name, values in {**found, "answer": answers}.items()]


async def _answer(url: str) -> float:
    begun = time.perf_counter()
    async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/live", params={"range": "1h"}) as answer:
        await answer.read()
    took = (time.perf_counter() - begun) * 1000
    await asyncio.sleep(1.1)  # answers are shared for a second
    return took


async def _drawn(url: str, loads: int) -> dict[str, list[float]]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        sys.exit("no chromium on this machine: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=_FLAGS)
        times: dict[str, list[float]] = {"first paint": [], "first drawn": [], "paint": [], "drawn": []}
        for _ in range(loads):
            profile = await browser.new_context()
            page = await profile.new_page()
            await page.add_init_script(_WATCH)
            for which in ("first ", ""):
                await page.goto(url)
                await page.wait_for_selector(_DRAWN, state="attached", timeout=60_000)
                times[f"{which}drawn"].append(float(await page.evaluate("window.drawnAt")))
                times[f"{which}paint"].append(float(await page.evaluate(_PAINT)))
                await asyncio.sleep(1.1)
            await profile.close()
        await browser.close()
        return times


def _figures(name: str, values: list[float]) -> dict[str, Any]:
    middle, most = statistics.median(values), max(values)
    return {"name": name, "times": len(values), "p50_ms": round(middle), "max_ms": round(most)}


async def _photograph(url: str, folder: Path, span: str) -> None:
    """Light and dark, desk and phone."""
    async with async_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = await playwright.chromium.launch(executable_path=found, args=_FLAGS)
        for scheme in ("light", "dark"):
            for width in (1360, 390):
                view = {"width": width, "height": 900}
                page = await browser.new_page(viewport=view, color_scheme=scheme)  # type: ignore[arg-type]
                await page.goto(url)
                await page.select_option("#range", span)
                await page.wait_for_selector(_DRAWN, state="attached", timeout=60_000)
                await asyncio.sleep(2.0)  # the answer for the chosen range
                await page.screenshot(path=folder / f"live-page-{scheme}-{width}.png", full_page=True)
        await browser.close()


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--minutes", type=int, default=60, help="minutes of windows in the database")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--url", help="a live page that runs already")
    parser.add_argument("--pictures", type=Path, help="with --url: write pictures of it to this folder")
    parser.add_argument("--range", default="15m", help="with --pictures: how far the page looks back")
    asked = parser.parse_args()
    if asked.url and asked.pictures:
        asyncio.run(_photograph(asked.url, asked.pictures, asked.range))
        return
    with tempfile.TemporaryDirectory(prefix="sori-page-") as folder:
        figures = asyncio.run(measure(asked.loads, asked.minutes, Path(folder)))
    table = Table(title=f"Live page over {asked.minutes} minutes of data, milliseconds", title_justify="left")
    for name in figures[0]:
        table.add_column(name, justify="left" if name == "name" else "right")
    for row in figures:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
