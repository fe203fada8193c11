"""Subscribers, good and bad, behind one port: /<name> behaves as its name's behaviour says."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from aiohttp import web

#: Answers the n-th request (from 0) of one endpoint with a status, and headers.
Behaviour = Callable[[int], Awaitable[web.Response]]
_NUMBER = re.compile(r"msg_(\d+)_1")


class Endpoints:
    """What each endpoint took: (alert number, epoch seconds), and how many requests it saw."""

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self._behaviours = behaviours
        self.took: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self.requests: defaultdict[str, int] = defaultdict(int)
        self.port = 0

    def url(self, name: str, scheme: str = "http") -> str:
        """Where a subscription points."""
        return f"{scheme}://127.0.0.1:{self.port}/{name}"

    def numbers(self, name: str) -> list[int]:
        """Alerts in the order of their first delivery."""
        return list(dict.fromkeys(number for number, _ in self.took[name]))

    def disorder(self, name: str, subjects: int) -> int:
        """How often an alert came before an older one of its subject."""
        per_subject: defaultdict[int, list[int]] = defaultdict(list)
        for number in self.numbers(name):
            per_subject[number % subjects].append(number)
        return sum(a > b for numbers in per_subject.values() for a, b in pairwise(numbers))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Endpoints]:
        """Listen while the block runs."""
        app = web.Application()
        app.router.add_post("/{name}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
            self.port = int(runner.addresses[0][1])
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        await request.read()
        number = self.requests[name]
        self.requests[name] += 1
        behaviour = self._behaviours.get(name)
        answer = web.Response(status=204) if behaviour is None else await behaviour(number)
        found = _NUMBER.fullmatch(request.headers["webhook-id"])
        if answer.status < 300 and found:
            self.took[name].append((int(found[1]), time.time()))
        return answer


def flapping(seed: int = 1) -> Behaviour:
    """Half of all requests fail, at random."""
    chance = random.Random(seed)

    async def answer(_number: int) -> web.Response:
        return web.Response(status=204 if chance.random() < 0.5 else chance.choice([500, 502, 503]))

    return answer


async def slow(number: int) -> web.Response:
    """Takes its time; now and then longer than anybody waits."""
    await asyncio.sleep(3.0 if number % 25 == 0 else 0.1)
    return web.Response(status=204)


async def throttling(number: int) -> web.Response:
    """Every tenth request is told to come back in a second."""
    return web.Response(status=429, headers={"Retry-After": "1"}) if number % 10 == 0 else web.Response(status=204)


async def gone_once(number: int) -> web.Response:
    """The fifth request is told that there is nobody any more, once."""
    return web.Response(status=410 if number == 4 else 204)


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that takes connections and never answers; yields it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(4096)
        yield int(silent.getsockname()[1])
