"""The reference of the HTTP API: as the OpenAPI document says, and its samples run as they stand."""

from __future__ import annotations

import asyncio
import re
import runpy
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from api.openapi import openapi
from testkit.paths import ROOT

PAGES = runpy.run_path(str(ROOT / "docs/api_pages.py"))
TEXTS: dict[str, str] = PAGES["pages"]()


def test_the_pages_are_current():
    """Else run: python docs/api_pages.py."""
    assert {path.name: path.read_text() for path in (ROOT / "docs/api").glob("*.md")} == TEXTS


def test_every_operation_is_on_one_page_with_both_samples():
    """And in the overview."""
    operations = [(m.upper(), path) for path, found in openapi()["paths"].items() for m in found]
    everything = "\n".join(text for name, text in TEXTS.items() if name != "README.md")
    for method, path in operations:
        assert everything.count(f"## {method} {path}\n") == 1
        assert f"`{method} {path}`" in TEXTS["README.md"]
    assert everything.count("```sh") == everything.count("```python") == len(operations)


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that notes what it is asked, in the API's stead: what the API answers is fuzzed elsewhere."""
    asked: list[dict[str, Any]] = []

    async def note(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        asked.append({"method": request.method, "path": request.path, "query": dict(request.query), "body": body})
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"README.md"}))
async def test_curl_and_httpx_ask_the_same_and_what_the_document_allows(name, echo):
    """Each sample as it stands, on another port."""
    url, asked = echo
    (begin,) = re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.DOTALL)
    shell = re.findall(r"```sh\n(.*?)```", TEXTS[name], re.DOTALL)
    python = re.findall(r"```python\n(.*?)```", TEXTS[name], re.DOTALL)
    script = "set -e\n" + "\n".join(shell).replace(PAGES["BASE"], url)
    await asyncio.to_thread(subprocess.run, ["bash", "-c", script], check=True, capture_output=True, timeout=60)
    by_curl, asked[:] = list(asked), []
    source = (begin + "\n".join(python)).replace(PAGES["BASE"], url)
    scope: dict[str, Any] = {}
    await asyncio.to_thread(exec, compile(source, name, "exec"), scope)
    scope["api"].close()
    assert by_curl == asked
    known = openapi()["paths"]
    for one in asked:
        path = min(
            (p for p in known if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", p), one["path"])), key=lambda p: "{" in p
        )
        allowed = {parameter["name"] for parameter in known[path][one["method"].lower()].get("parameters", ())}
        assert set(one["query"]) <= allowed
