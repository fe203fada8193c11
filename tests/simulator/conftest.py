"""A webhook receiver that fails as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Receiver:
    """Answers each request with the next of `answers` (a status, or "hang"), then with 200; remembers all of them."""

    answers: list[int | str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    always: int = 200
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, count: int) -> None:
        """Wait until this many requests have come."""
        while len(self.bodies) < count:
            self.came.clear()
            await self.came.wait()

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.came.set()
        answer = self.answers.pop(0) if self.answers else self.always
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "close":
            assert request.transport is not None
            request.transport.close()
        headers = {"Location": "/elsewhere"} if str(answer).startswith("3") else {}
        return web.Response(status=answer if isinstance(answer, int) else 200, headers=headers)


@pytest.fixture
async def receive() -> AsyncIterator[Callable[..., Awaitable[Receiver]]]:
    servers: list[TestServer] = []

    async def start(*answers: int | str, always: int = 200) -> Receiver:
        receiver = Receiver(answers=list(answers), always=always)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", receiver.handle)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        receiver.url = str(server.make_url("/hook"))
        return receiver

    yield start
    for server in servers:
        await server.close()
