"""Bounds on every connection of a server: whoever is slow, silent or many costs little and is in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

_SHED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: 105\r\n\r\n"
    b'{"type":"urn:sori:problem:connections","title":"Too many connections","status":503,"detail":"try again"}\n'
)
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """Times in seconds. A connection beyond the bound takes the place of the one that is idle for longest, if any."""

    max_connections: int = 1000
    header_timeout_s: float = 10.0
    body_timeout_s: float = 10.0
    keepalive_timeout_s: float = 75.0
    #: A client that takes nothing of an answer for so long is gone.
    unread_timeout_s: float = 30.0


@dataclass(slots=True)
class Connections:
    """The open ones of a server; `idle` are those without a request, the one that is so for longest first."""

    bounds: HttpBounds
    on_shed: Callable[[], None]
    count: int = 0
    idle: dict[BoundedProtocol, None] = field(default_factory=dict)

    def evict(self) -> bool:
        """Close the one that is idle for longest; whether there was one."""
        for oldest in self.idle:
            oldest.force_close()
            del self.idle[oldest]
            return True
        return False


class BoundedProtocol(RequestHandler):
    """aiohttp's connection, under bounds."""

    __slots__ = ("_connections", "_timers", "_unread")

    def __init__(
        self, connections: Connections, server: web.Server, loop: asyncio.AbstractEventLoop, **options: Any
    ) -> None:
        super().__init__(server, loop=loop, **options)
        self._connections = connections
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unread = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, another's if need be, and give the client a while for its first head."""
        super().connection_made(transport)
        ours = self._connections
        ours.count += 1
        if ours.count > ours.bounds.max_connections and not ours.evict():
            ours.on_shed()
            if self.transport is not None:
                self.transport.write(_SHED)
            self.force_close_softly()
            return
        ours.idle[self] = None
        # later heads are covered by the keep-alive timer, which a half-sent head does not push back
        self._after("head", ours.bounds.header_timeout_s, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._connections.count -= 1
        self._connections.idle.pop(self, None)
        for name in list(self._timers):
            self._stop(name)
        super().connection_lost(exc)

    def force_close_softly(self) -> None:
        """Close once what was written is sent."""
        self.close()
        if self.transport is not None:
            self.transport.close()

    async def _handle_request(self, request: web.BaseRequest, *more: Any) -> Any:
        """A request is there: not idle until it is answered, and its body comes in time."""
        idle = self._connections.idle
        idle.pop(self, None)
        self._stop("head")
        if not request.content.is_eof():
            self._after("body", self._connections.bounds.body_timeout_s, lambda: self._require(request))
        try:
            return await super()._handle_request(request, *more)
        finally:
            self._stop("body")
            if self.transport is not None:
                idle[self] = None

    def _require(self, request: web.BaseRequest) -> None:
        if not request.content.is_eof():
            with suppress(ConnectionError):
                request.content.set_exception(web.HTTPRequestTimeout(text="the body did not come in time"))
            self.close()

    def pause_writing(self) -> None:
        """The client is behind: see to it that it reads on."""
        super().pause_writing()
        self._unread = self._buffered()
        self._after("unread", self._connections.bounds.unread_timeout_s, self._require_progress)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._stop("unread")
        super().resume_writing()

    def _require_progress(self) -> None:
        left = self._buffered()
        if left >= self._unread:
            if isinstance(self.transport, asyncio.Transport):
                self.transport.abort()
            return
        self._unread = left
        self._after("unread", self._connections.bounds.unread_timeout_s, self._require_progress)

    def _buffered(self) -> int:
        return self.transport.get_write_buffer_size() if isinstance(self.transport, asyncio.WriteTransport) else 0

    def _after(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = self._loop.call_later(seconds, then)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


class BoundedSite(web.TCPSite):
    """A listening socket whose connections are bounded."""

    __slots__ = ("_connections",)

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, connections: Connections, *, reuse_port: bool = False
    ) -> None:
        super().__init__(runner, host, port, reuse_port=reuse_port or None)
        self._connections = connections

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await web.BaseSite.start(self)
        loop, server = asyncio.get_running_loop(), self._runner.server
        assert server is not None  # noqa: S101 - the runner is set up
        self._server = await loop.create_server(
            lambda: BoundedProtocol(self._connections, server, loop, **server._kwargs),  # noqa: SLF001 - as aiohttp's own call does
            self._host,
            self._port,
            backlog=_BACKLOG,
            reuse_port=self._reuse_port,
        )
