"""The alert side of the API on a real Kafka, without ClickHouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from api.app import build_app
from api.kafka.views import KafkaSide
from api.live.data import LiveData
from api.live.page import add_live_page
from api.live.stage_probes import StageProbes
from api.maintenance import add_maintenance
from api.query.pool import EnginePool
from api.routes import add_alerting
from runtime.http import serve
from sori.alerting.tokens import encode, new_token
from sori.settings import Settings, load_settings
from sori.settings.kafka import KafkaSettings
from testkit.wait import wait_until


class NoPool:
    """ClickHouse, that is, nothing; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def raw(self, sql, _fmt="JSONEachRow"):
        """An empty answer."""
        self.asked.append(sql)
        return b""

    async def rows(self, sql):
        """No rows."""
        self.asked.append(sql)
        return []

    def close(self):
        """Nothing."""


@dataclass
class Api:
    """A running API and a client of it."""

    http: aiohttp.ClientSession
    side: KafkaSide
    pool: NoPool | EnginePool
    app: web.Application

    async def token(self, right="read", accounts=None, **options) -> dict[str, str]:
        """Headers with a fresh token."""
        made, text = new_token(right, accounts, **options)
        await self.side.tokens.put(made.id, encode(made))
        return {"Authorization": f"Bearer {text}"}


def settings_for(kafka: KafkaSettings, **access: object) -> Settings:
    """Settings of this test's own."""
    return load_settings(
        kafka=kafka.model_dump(),
        access=access,
        notify={"allow_http": True, "allow_networks": "127.0.0.0/8"},
    )


@asynccontextmanager
async def api_running(
    settings: Settings, pool: EnginePool | None = None, local_token: str = "", **more: Any
) -> AsyncIterator[Api]:
    """Serve on a free loopback port, whatever the settings call its address; `pool` is closed with it."""
    pool = pool or NoPool()
    app: web.Application = build_app(pool)
    side = add_alerting(app, pool, settings, local_token, **more)
    add_live_page(app, LiveData(pool), StageProbes({}))
    add_maintenance(app, lambda _task, _params: iter(()), "the note's token")
    async with serve(app, "127.0.0.1", 0, drain_s=0.5) as port:
        await wait_until(lambda: side._ready)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            yield Api(http, side, pool, app)


@dataclass
class Stream:
    """A reader of server-sent events."""

    response: aiohttp.ClientResponse
    last_id: str = ""
    events: list[tuple[str, str]] = field(default_factory=list)
    beats: int = 0

    async def until(self, count: int, timeout_s: float = 20.0) -> list[tuple[str, str]]:
        """That many events so far, each as (name, data)."""
        async with asyncio.timeout(timeout_s):
            while len(self.events) < count:
                await self.one()
        return self.events

    async def one(self) -> None:
        """One block: an event, or a heartbeat."""
        block = (await self.response.content.readuntil(b"\n\n")).decode()
        if not block:
            raise EOFError
        fields = dict(line.split(": ", 1) for line in block.strip().split("\n") if not line.startswith(":"))
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.events.append((fields["event"], fields["data"]))
        else:
            self.beats += 1


@asynccontextmanager
async def streaming(http: aiohttp.ClientSession, last_id: str = "", query=None, headers=None) -> AsyncIterator[Stream]:
    """An open stream whose position is known."""
    more = {"Last-Event-ID": last_id} if last_id else {}
    async with http.get("/v1/alerts/stream", params=query, headers={**(headers or {}), **more}) as response:
        assert response.status == 200, await response.text()
        stream = Stream(response)
        await stream.one()
        yield stream
