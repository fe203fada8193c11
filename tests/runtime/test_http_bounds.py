"""Slow, silent and many clients of the API: bounded each, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
from aiohttp import web

from runtime.http import serve
from runtime.http_bounds import HttpBounds
from testkit.wait import wait_until

QUICK = HttpBounds(4, 0.3, 0.3, 0.6, 0.3)


@asynccontextmanager
async def server(bounds: HttpBounds, on_shed: Callable[[], None] = lambda: None) -> AsyncIterator[int]:
    """GET /, POST /, an endless stream and a large answer."""

    async def small(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await request.read())}")

    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 32_000_000)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b": beat\n\n")
                await asyncio.sleep(0.05)
        return response

    app = web.Application()
    app.router.add_get("/", small)
    app.router.add_post("/", small)
    app.router.add_get("/large", large)
    app.router.add_get("/stream", stream)
    async with serve(app, "127.0.0.1", 0, drain_s=0.1, bounds=bounds, on_shed=on_shed) as port:
        yield port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes the connection."""
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""


async def test_a_head_or_body_that_does_not_come_ends_the_connection() -> None:
    """Nothing at all, half a head, a head a byte at a time, half a body, silence after a request."""
    half = b"GET / HTTP/1.1\r\nHost: x\r\n"
    whole = half + b"\r\n"
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123"
    async with server(QUICK) as port:

        async def send(first: bytes, drip: bytes = b"") -> bytes:
            async with connected(port) as (reader, writer):
                writer.write(first)
                answer = asyncio.ensure_future(ended(reader))
                while drip and not answer.done():
                    writer.write(drip)
                    await asyncio.wait({answer}, timeout=0.05)
                return await answer

        answers = await asyncio.gather(send(b""), send(half), send(half, b"X"), send(body))
        assert answers[:3] == [b"", b"", b""]
        assert b" 408 " in answers[3] or answers[3] == b""

        async def answered() -> bool:
            return b" 200 " in await send(whole + half, b"X")

        await wait_until(answered)  # a machine that stalls for as long as the bound ends a right one, too


async def test_idle_connections_give_way_and_busy_ones_do_not() -> None:
    """Silent sockets up to the bound keep nobody out; with nothing but busy ones the next gets 503, counted."""
    shed: list[None] = []
    bounds = HttpBounds(4, 60, 60, 60, 60)
    async with (
        server(bounds, lambda: shed.append(None)) as port,
        aiohttp.ClientSession() as http,
        AsyncExitStack() as stack,
    ):
        silent = [await stack.enter_async_context(connected(port)) for _ in range(12)]
        async with http.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
        assert await ended(silent[0][0]) == b""
        streams = [await http.get(f"http://127.0.0.1:{port}/stream") for _ in range(4)]
        async with aiohttp.ClientSession() as other, other.get(f"http://127.0.0.1:{port}/") as answer:
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
            assert (await answer.json(content_type=None))["status"] == 503
        assert len(shed) == 1
        for one in streams:
            assert (await one.content.readuntil(b"\n\n")).startswith(b": beat")
        streams[0].close()

        async def free() -> bool:
            async with aiohttp.ClientSession() as other, other.get(f"http://127.0.0.1:{port}/") as answer:
                return answer.status == 200

        await wait_until(free)
        for one in streams:
            one.close()


async def test_a_client_that_does_not_read_its_answer_is_dropped_and_a_slow_one_is_served() -> None:
    """Progress is what counts, not speed."""
    async with (
        server(QUICK) as port,
        connected(port) as (reader, writer),
        connected(port) as (slow_reader, slow_writer),
    ):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        slow_writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = 0
        while chunk := await slow_reader.read(800_000):
            got += len(chunk)
            await asyncio.sleep(0.02)
        assert got > 32_000_000
        assert len(await ended(reader)) < 32_000_000
