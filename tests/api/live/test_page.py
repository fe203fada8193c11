"""What the live page is served as, without a browser."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer
from aiohttp import web

from api.live.page import PAGE
from api.live.stage_probes import StageProbes, stage_urls
from api.live.world import world
from cli.main import build
from runtime.http import add_admin_routes, serve
from sori.errors import ConfigError
from sori.settings import load_settings
from testkit.certificates import Authority


async def test_the_page_forbids_what_it_does_not_need(served) -> None:
    """No inline script, nothing from elsewhere, no framing; files are compressed and revalidated.

    The browser may ask for the first page's figures before any script is here.
    """
    async with aiohttp.ClientSession() as client, client.get(f"{served.url}/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["Content-Encoding"] == "gzip"
        tag = answer.headers["ETag"]
        assert "<script>" not in await answer.text()
        async with client.get(f"{served.url}/", headers={"If-None-Match": tag}) as again:
            assert again.status == 304
        asked_ahead = re.findall(r"<([^>]+)>", answer.headers["Link"])  # first.js asks these, to the letter
        for path in asked_ahead:
            async with client.get(served.url + path) as figures:
                assert figures.status == 200
        assert len(asked_ahead) == 2
        for other in ("/?range=6h", "/alerts"):  # it would ask for something else
            async with client.get(served.url + other) as page:
                assert "Link" not in page.headers
        async with client.get(f"{served.url}/page/..%2Fpage.py") as outside:
            assert outside.status == 404


async def test_ranges_are_a_closed_list_and_accounts_are_text(served) -> None:
    """The page cannot be made to ask anything else of the database."""
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{served.url}/v1/live", params={"range": "1 OR 1"}) as answer:
            assert answer.status == 400
        for span in ("15m", "6h", "7d"):
            async with client.get(f"{served.url}/v1/live", params={"range": span, "account": "acc_1"}) as answer:
                body = await answer.json()
                assert {row["account_id"] for row in body["campaigns"]} == {"acc_1"}
                assert sum(row["impressions"] for row in body["series"]) == body["totals"]["impressions"] > 0
        async with client.get(f"{served.url}/v1/live", params={"account": "x' OR '1'='1"}) as answer:
            assert (await answer.json())["campaigns"] == []


async def test_a_stage_that_is_away_is_told(served) -> None:
    """Stages that answer, and one that does not, each have a state; a nonsense address is refused at the start."""
    urls = {"api": served.url, "gone": "http://127.0.0.1:1"}
    states = {state["name"]: state["state"] for state in await StageProbes(urls).states()}
    assert states == {"api": "ready", "gone": "unreachable"}
    probes = StageProbes({"api": served.url}, clock=lambda: 1000.0)
    await probes.states()
    probes._urls["api"] = "http://127.0.0.1:1"
    [away] = await probes.states(figures=True)
    assert (away["state"], away["last_state"], away["seen_ms"]) == ("unreachable", "ready", 1_000_000)
    listed = stage_urls(load_settings(api={"stages": "ingest=http://ingest:8080, streams=http://streams:8082/"}))
    assert listed == {"ingest": "http://ingest:8080", "streams": "http://streams:8082"}
    with pytest.raises(ConfigError):
        stage_urls(load_settings(api={"stages": "ingest"}))


async def test_an_ingress_with_tls_and_no_probe_port_is_asked_where_webhooks_go(tmp_path: Path) -> None:
    """By https, and whatever name its certificate has."""
    pair = Authority(tmp_path / "ca").issue("elsewhere", names="DNS:sori.example.com")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    app = web.Application()
    add_admin_routes(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    ingest = {"port": runner.addresses[0][1], "admin_port": 0, "tls_cert": pair.cert, "tls_key": pair.key}
    [asked] = [item for item in stage_urls(load_settings(ingest=ingest)).items() if item[0] == "ingest"]
    try:
        [state] = await StageProbes(dict([asked])).states()
    finally:
        await runner.cleanup()
    assert (state["name"], state["state"]) == ("ingest", "ready")


async def test_figures_that_come_in_pieces_are_read_to_the_end() -> None:
    """A stage with many partitions tells more than one piece of a connection holds, and its lag may be in the last."""
    padding = "".join(f'sori_other_total{{partition="{n}"}} 1\n' for n in range(20_000)).encode()

    async def metrics(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'sori_streams_lag_records{partition="0"} 3\n')
        await answer.write(b"sori_sinks_uncommitted_seconds NaN\n")  # JSON has none
        await answer.write(padding)
        await answer.write(b'sori_streams_lag_records{partition="1"} 4\n')
        return answer

    app = web.Application()
    app.router.add_get("/readyz", _ready)
    app.router.add_get("/metrics", metrics)
    async with serve(app, "127.0.0.1", 0) as port:
        [state] = await StageProbes({"streams": f"http://127.0.0.1:{port}"}).states(figures=True)
    assert state["figures"] == {"sori_streams_lag_records": 7}


async def _ready(_request: web.Request) -> web.Response:
    return web.json_response({})


def test_nothing_is_vendored() -> None:
    """The map comes out of the installed wheel; the page's own files are small."""
    countries = world()["countries"]
    assert {"Germany", "South Korea", "United States"} <= {one["name"] for one in countries}
    assert sum(bool(one["path"]) for one in countries) > 150
    assert not list(PAGE.glob("*.min.js"))
    assert all(len(path.read_text().splitlines()) <= 200 for path in PAGE.iterdir())


def test_commands_that_the_page_tells_are_commands() -> None:
    """Every `sori …` in the page's texts is a command of ours with options that it has."""
    told = [
        match.split()
        for path in PAGE.glob("*.js")
        for match in re.findall(r"\bsori ((?:[a-z]+ )+(?:-[^\s\"`]+ )*)", path.read_text())
    ]
    assert len(told) >= 3
    for words in told:
        command: Any = typer.main.get_command(build())
        while words and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words
