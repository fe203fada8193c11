"""A served live page over an hour of data, and Debian's chromium to look at it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from clickhouse_connect.driver.client import Client

from runtime.http import add_admin_routes, serve
from sori.settings import load_settings
from testkit.clickhouse_fixtures import open_with_schema
from testkit.live_page_data import fill

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Served:
    """Where the page is, and a client of the engine behind it."""

    url: str
    client: Client
    replayed: list[list[str]]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The api on a free port, over an embedded engine that this test may write to."""
    from api.service import serving
    from cli.shared.rule_cards import cards

    replayed: list[list[str]] = []

    async def replay(ids, _accounts, _known):
        replayed.append(list(ids))
        return {"landed": list(ids), "refused": []}

    stages = web.Application()
    add_admin_routes(stages)  # one server plays every stage: always ready
    async with serve(stages, "127.0.0.1", 0) as port:
        asked = ",".join(f"{name}=http://127.0.0.1:{port}" for name in ("ingest", "streams", "sinks", "notify"))
        settings = load_settings(data_dir=tmp_path, api={"port": 0, "stages": asked})
        with open_with_schema(settings.clickhouse_dsn) as client:
            fill(client)
            async with serving(settings, card_of=cards(settings), replay=replay) as url:
                yield Served(url, client, replayed)


@pytest.fixture
async def browser():
    """Headless chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=found, args=_FLAGS)
        yield chromium
        await chromium.close()
