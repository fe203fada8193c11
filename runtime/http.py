"""/healthz, /readyz and /metrics for a stage that serves no HTTP of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from runtime.http_bounds import BoundedSite, Connections, HttpBounds
from sori.errors import PrerequisiteError

#: Says what is not ready, by name; an empty mapping means ready.
Readiness = Callable[[], Awaitable[Mapping[str, str]]]


async def always_ready() -> Mapping[str, str]:
    """The readiness of a stage that is ready once it runs."""
    return {}


def add_admin_routes(
    app: web.Application,
    readiness: Readiness = always_ready,
    registry: CollectorRegistry = REGISTRY,
    page: Callable[[], Awaitable[bytes]] | None = None,
) -> None:
    """Add the three routes to an application.

    GET /healthz: 200 while the process runs its loop. GET /readyz: 200, or 503 with {"not_ready": {name: reason}}.
    GET /metrics: Prometheus text, of `page` where that is given.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        missing = dict(await readiness())
        if missing:
            return web.json_response({"status": "not ready", "not_ready": missing}, status=503)
        return web.json_response({"status": "ready"})

    async def metrics(_request: web.Request) -> web.Response:
        body = generate_latest(registry) if page is None else await page()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


@asynccontextmanager
async def admin_server(
    host: str,
    port: int,
    readiness: Readiness = always_ready,
    page: Callable[[], Awaitable[bytes]] | None = None,
    *,
    reuse_port: bool = False,
) -> AsyncIterator[int]:
    """Serve the routes while the block runs; yields the real port. Port 0 serves nothing and yields 0.

    Raises PrerequisiteError when the port is taken.
    """
    if port == 0:
        yield 0
        return
    app = web.Application()
    add_admin_routes(app, readiness, page=page)
    async with serve(app, host, port, reuse_port=reuse_port) as real_port:
        yield real_port


class _BadHttp(logging.Filter):
    """Takes what aiohttp logs with a traceback when a request is no HTTP, or too long: that is the sender's doing."""

    def __init__(self, count: Callable[[], None]) -> None:
        super().__init__()
        self._count = count

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info or not isinstance(record.exc_info[1], HttpProcessingError):
            return record.levelno >= logging.root.level
        self._count()
        return False


@asynccontextmanager
async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    drain_s: float = 5.0,
    option: str = "its port setting",
    on_bad_http: Callable[[], None] = lambda: None,
    reuse_port: bool = False,
    bounds: HttpBounds | None = None,
    on_shed: Callable[[], None] = lambda: None,
) -> AsyncIterator[int]:
    """Serve any application while the block runs; yields the real port, also for port 0.

    At the end it stops accepting and gives open requests `drain_s` seconds. Raises PrerequisiteError, naming
    `option`, when the port is taken. `on_bad_http` is called for each request that gets 400 since it cannot be parsed,
    `on_shed` for each connection that gets 503 since `bounds` allow no more.
    """
    logger = logging.Logger("aiohttp.server")  # noqa: LOG001 - of its own: the filter is for this server alone
    logger.parent = logging.root
    logger.setLevel(logging.DEBUG)  # where aiohttp logs what is not even a method, which counts too
    logger.addFilter(_BadHttp(on_bad_http))
    bounds = bounds or HttpBounds()
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=drain_s,
        logger=logger,
        keepalive_timeout=bounds.keepalive_timeout_s,
    )
    await runner.setup()
    try:
        try:
            await BoundedSite(runner, host, port, Connections(bounds, on_shed), reuse_port=reuse_port).start()
        except OSError as error:
            raise PrerequisiteError(
                f"Cannot listen on {host}:{port}: {error.strerror}.", f"Free the port or choose another with {option}."
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
