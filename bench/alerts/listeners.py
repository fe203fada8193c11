"""Those who hear of alerts: a webhook receiver and a reader of the event stream. Both note when, epoch seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import aiohttp
import orjson
from aiohttp import web
from standardwebhooks import Webhook


class Listener:
    """When each subject's alert was first heard of; `stored` is when its record came to Kafka, where that is told."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self.stored: dict[str, float] = {}

    def hear(self, subject: str) -> None:
        """Now."""
        self.heard.setdefault(subject, time.time())


@asynccontextmanager
async def receiving(http: aiohttp.ClientSession, api: str, rule: str) -> AsyncIterator[Listener]:
    """A subscriber that verifies every delivery with the reference implementation."""
    listener = Listener()
    verifiers: list[Webhook] = []

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        verifiers[0].verify(body, dict(request.headers), json_parse=False)
        told = orjson.loads(body)
        listener.hear(told["data"]["subject"])
        moment = datetime.fromisoformat(told["timestamp"]).timestamp()
        listener.stored.setdefault(told["data"]["subject"], moment)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        wanted = {"rules": [rule], "states": ["opened"]}
        body: dict[str, object] = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}/hook", "filter": wanted}
        verifiers.append(Webhook(await _subscribe(http, api, body)))
        yield listener
    finally:
        await runner.cleanup()


async def _subscribe(http: aiohttp.ClientSession, api: str, body: dict[str, object]) -> str:
    """The secret of a new subscription. The API connects to Kafka in the background and says 503 until then."""
    async with asyncio.timeout(30):
        while True:
            async with http.post(f"{api}/v1/subscriptions", json=body) as answer:
                if answer.status == 201:
                    return str((await answer.json())["secret"])
            await asyncio.sleep(0.2)


async def read_stream(http: aiohttp.ClientSession, api: str, rule: str, listener: Listener) -> None:
    """Read the event stream until cancelled."""
    asked = {"rule": rule, "state": "opened"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with http.get(f"{api}/v1/alerts/stream", params=asked, timeout=timeout) as answer:
        answer.raise_for_status()
        async for line in answer.content:
            if line.startswith(b"data: "):
                listener.hear(orjson.loads(line[6:])["subject"])
