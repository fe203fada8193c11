"""aiohttp's HTTP protocol and what it lacks: bounds on connections, heads and unread answers; problem JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import ERROR, RequestHandler

from ingest.admission.outcomes import Outcome, RequestError
from ingest.http import problem_details, responses
from ingest.http.body import BodyBroken, BodyEvicted
from ingest.http.framing import Framing
from ingest.http.lingering import hear_out
from ingest.http.waiting_connections import WaitingConnections

#: How long we read on after an early refusal.
_LINGER_S = 1.0
#: Nobody is evicted who has waited for less: a round trip between being accepted and sending.
_GRACE_S = 0.1
#: How long a client may leave its answers unread; a request more is not looked at before.
_UNREAD_S = 5.0
#: What RFC 9110 wants at least for a URL; less than the bound of a header, so that an error says which of them it is.
_MAX_URL_BYTES = 8_000
#: Beyond this, what one read from the socket brought is parsed by pieces: a body in tiny chunks ends before all of it.
_PIECE_BYTES = 8_192

_log = structlog.get_logger(__name__)
_SHED = problem_details.problem(Outcome.OVERLOADED, close=True)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of every connection; sizes in bytes, times in seconds. `burst`: how many too many there may be shortly."""

    max_connections: int
    burst: int
    header_timeout_s: float
    keepalive_timeout_s: float
    max_header_bytes: int
    max_headers: int


class IngestProtocol(RequestHandler):
    """One connection. `proven`: a verified event came on it, so it is among the last to be evicted."""

    __slots__ = (
        *("_arriving", "_content", "_evicted", "_first_head", "_framing", "_held"),
        *("_said_all", "_server", "_writer", "proven"),
    )

    def __init__(self, server: IngestServer, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(server, loop=loop, **options)
        self._server = server
        self._first_head: asyncio.TimerHandle | None = None
        self._arriving: StreamReader | None = None
        self._content: StreamReader | None = None
        self._framing: Framing | None = None
        self._held = b""
        self._evicted = False
        self._said_all = False
        self.proven = False
        self._writer = StreamWriter(self, loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse a connection too many; give the others a while for their first request head."""
        super().connection_made(transport)
        limits, waiting = self._server.limits, self._server.waiting
        # since Python 3.12 our task has begun and waits: it is not the one to make place for itself
        waiting.discard(self)
        if self._server.open_connections > limits.max_connections and not self._server.make_place():
            self._server.on_protocol_error(Outcome.OVERLOADED)
            if self.transport is not None:
                self.transport.write(_SHED)
            self.close()
            self.force_close()
            return
        waiting.add(self, self._loop.time())
        # later heads are covered by the keep-alive timer, which a half-sent head does not push back
        self._first_head = self._loop.call_later(limits.header_timeout_s, self._require_head)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer."""
        if self._first_head is not None:
            self._first_head.cancel()
        self._server.waiting.discard(self)
        self._server.leaving -= self._evicted
        self._evicted = False
        super().connection_lost(exc)
        self._server.note_departure()

    def data_received(self, data: bytes) -> None:
        """Parse what came: mostly a whole request."""
        if self._content is None and not self._held and len(data) <= _PIECE_BYTES:
            super().data_received(data)
            if self._messages and not self._messages[-1][1].is_eof():
                self._note_content()
            return
        data, self._held = self._held + data, b""
        if not data:
            super().data_received(data)  # it may have paused in the middle of a piece
            self._check_framing(0)
        for start in range(0, len(data), _PIECE_BYTES):
            if self._reading_paused:
                self._held = data[start:]  # `resume_reading` goes on with it
                return
            piece = data[start : start + _PIECE_BYTES]
            super().data_received(piece)
            self._check_framing(len(piece))
            if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
                return  # after bad HTTP nothing can be understood

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's returns nothing, asyncio's may say more
        """The client says no more, and may listen: whole requests are answered before the connection closes."""
        if not self._owes_answers():
            return False
        self._said_all = True
        return True

    def _owes_answers(self) -> bool:
        """Whether every request that came is whole, and one of them is not answered yet. TLS has no half to close."""
        if self.transport is None or self.transport.get_extra_info("sslcontext") is not None:
            return False
        if self._messages:
            return self._messages[-1][1].is_eof()
        return self._current_request is not None and self._current_request.content.is_eof()

    def _note_content(self) -> bool:
        """See whose body is arriving now; whether it is another one than before."""
        message, newest = self._messages[-1] if self._messages else (None, self._content)
        if newest is None or newest.is_eof():
            self._content = None
        elif newest is not self._content:
            self._content = newest
            self._framing = Framing() if isinstance(message, RawRequestMessage) and message.chunked else None
            return True
        return False

    def _check_framing(self, came: int) -> None:
        """End a body whose chunks cost more than they bring."""
        if self._note_content() or self._content is None or self._framing is None:
            return
        if self._framing.excessive(came, self._content.total_bytes, _PIECE_BYTES):
            self._content.set_exception(BodyBroken("its chunks are too small"))
            self._held = b""
            self.close()

    def wait_for_body(self, content: StreamReader) -> None:
        """The rest of a request's body is still to come: until `go_on` the connection may be evicted."""
        self._arriving = content
        self._server.waiting.add(self, self._loop.time())

    @property
    def arriving(self) -> bool:
        """Whether the rest of a body is still to come."""
        return self._arriving is not None

    def go_on(self) -> None:
        """It is our turn."""
        self._arriving = None
        self._server.waiting.discard(self)

    def evict(self) -> bool:
        """Make place for another connection, unless a request has come meanwhile; whoever sends a body is answered."""
        if self._messages and self._arriving is None and not self._paused:
            return False
        self._server.on_evicted()
        self._server.leaving += not self._evicted
        self._evicted = True
        if self._arriving is not None:
            self._arriving.set_exception(BodyEvicted("its connection was needed for others"))
        elif self.transport is not None:
            self.transport.abort()
        return True

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Only when paused: aiohttp feeds its parser an empty chunk after every read, 5 us a request."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def start(self) -> None:
        """Answer the connection's requests one after the other: aiohttp's own loop without its task per request.

        That task costs 17 us, a third of a request, and only isolates context variables, which we do not use.
        """
        try:
            while not self._force_close and (self._messages or (not self._said_all and await self._next_message())):
                if not await self._answer_one() or self._close:
                    break
                if self._messages:
                    await asyncio.sleep(0)  # others first: thousands of pipelined requests fit one segment
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                if self._keepalive_handle is None:
                    self._keepalive_handle = self._loop.call_at(
                        self._next_keepalive_close_time, self._process_keepalive
                    )
        except ConnectionError:
            _log.debug("client_gone")
        except Exception:  # noqa: BLE001 - a bug of ours ends one connection, not the server
            _log.exception("connection_failed")
        self._task_handler = None
        if not self._force_close and self.transport is not None:
            self.transport.close()

    async def _answer_one(self) -> bool:
        """Handle the oldest parsed request; whether the connection may go on."""
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        handler = self._server.request_handler
        if not isinstance(message, RawRequestMessage):
            handler, message = self._make_error_handler(message), ERROR
        request = web.BaseRequest(
            message,
            payload,
            self,
            self._writer,  # shared: a Reply writes past it
            self._task_handler,  # type: ignore[arg-type]
            self._loop,
        )
        response = await self._respond(handler, request)
        self._keepalive = bool(response.keep_alive)
        if self._upgraded or type(response) is not responses.Reply:
            await self.finish_response(request, response, None)
        elif self.transport is not None:
            self.transport.write(response.raw if request.method != hdrs.METH_HEAD else response.head)
        if self._paused or message is ERROR or not payload.is_eof():
            await self._wait_for_client(payload, bad_http=message is ERROR)
        return self._keepalive

    async def _wait_for_client(self, payload: StreamReader, *, bad_http: bool) -> None:
        """The answer is out: let it be read. Whoever takes long may be evicted."""
        if self._evicted:
            self.close()
            return
        self._server.waiting.add(self, self._loop.time())
        try:
            if self._paused:
                await self._until_read()
            if bad_http and self.transport is not None:
                await hear_out(self, self.transport, _LINGER_S)
            elif not payload.is_eof():
                await self._linger(payload)
        finally:
            self._server.waiting.discard(self)

    async def _until_read(self) -> None:
        """Answer no more before the client has read: what it leaves unread is our memory."""
        try:
            async with asyncio.timeout(_UNREAD_S):
                await self._drain_helper()
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()

    async def _respond(self, handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        """The handler's answer, or that of `handle_error`; whoever shuts down can wait for it."""
        self._request_in_progress = True
        self._current_request = request
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - handle_error logs it
            return self.handle_error(request, 500, error)
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None and not self._handler_waiter.done():
                self._handler_waiter.set_result(None)

    async def _next_message(self) -> bool:
        """Wait for a request; False when the connection closes instead."""
        self._waiter = self._loop.create_future()
        self._server.waiting.add(self, self._loop.time())
        try:
            await self._waiter
        except asyncio.CancelledError:
            return False
        finally:
            self._server.waiting.discard(self)
            self._waiter = None
        return bool(self._messages)

    async def _linger(self, payload: StreamReader) -> None:
        """Read on for a while after an early refusal, so that the client sees the answer and not a reset."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while not payload.is_eof():
                    await payload.readany()
        except (TimeoutError, OSError, web.RequestPayloadError, BodyBroken):
            self.close()

    def _require_head(self) -> None:
        if not self._request_count:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Bad HTTP is counted, not logged line by line; a bug of ours is logged in full."""
        if status >= 500:
            _log.error("request_failed", exc_info=exc)
            kind, detail = RequestError.INTERNAL, ""
        elif isinstance(exc, LineTooLong):
            _, limit, *_ = exc.args
            kind = RequestError.URL_TOO_LONG if limit == self._server.max_url_bytes else RequestError.HEADERS_TOO_LARGE
            detail = ""
        elif "too many headers" in str(exc).lower():
            kind, detail = RequestError.HEADERS_TOO_LARGE, ""
        else:
            kind, detail = RequestError.BAD_REQUEST, (message or "").splitlines()[0][:200] if message else ""
        self._server.on_protocol_error(kind)
        return responses.refusal(kind, close=True, detail=detail) if detail else responses.refusal(kind, close=True)


class IngestServer(web.Server):
    """aiohttp's low-level server: no router, no middleware, bodies as they come on the wire."""

    def __init__(
        self,
        handler: Handler,
        limits: ConnectionLimits,
        on_protocol_error: Callable[[Outcome | RequestError], None],
        on_evicted: Callable[[], None] = lambda: None,
    ) -> None:
        self.max_url_bytes = min(_MAX_URL_BYTES, limits.max_header_bytes - 1)
        super().__init__(
            handler,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.keepalive_timeout_s,
            lingering_time=_LINGER_S,
            max_line_size=self.max_url_bytes,
            max_field_size=limits.max_header_bytes,
            max_headers=limits.max_headers,
        )
        self.limits = limits
        self.on_protocol_error = on_protocol_error
        self.on_evicted = on_evicted
        self.waiting = WaitingConnections()
        #: Connections that are evicted and not yet gone.
        self.leaving = 0
        self._trimming: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        return len(self._connections)

    @property
    def arriving(self) -> int:
        """Connections on which a body is arriving."""
        return sum(protocol.arriving for protocol in self._connections if isinstance(protocol, IngestProtocol))

    def make_place(self) -> bool:
        """There is a connection too many: see that a waiting one goes; False when none waits."""
        if self.open_connections - self.leaving > self.limits.max_connections + self.limits.burst:
            return self.waiting.evict_oldest(self._loop.time())
        if not self.waiting:
            return False
        if self._trimming is None:
            self._trimming = self._loop.call_later(_GRACE_S, self._trim)
        return True

    def make_room(self, count: int) -> int:
        """Evict that many waiting connections at once; how many there were."""
        now_s = self._loop.time()
        return sum(self.waiting.evict_oldest(now_s) for _ in range(count))

    def _trim(self) -> None:
        """Evict what has waited beyond the grace, once what has come for it meanwhile is read: we may have stalled."""
        self._trimming = self._loop.call_later(0.001, self._evict_waiting, self._loop.time() - _GRACE_S)

    def _evict_waiting(self, since_s: float) -> None:
        self._trimming = None
        for _ in range(self.open_connections - self.leaving - self.limits.max_connections):
            if not self.waiting.evict_oldest(since_s):
                self._trimming = self._loop.call_later(_GRACE_S, self._trim)  # the rest is too young
                return

    def note_departure(self) -> None:
        """Called when a connection is lost."""
        self._empty.set()

    async def all_gone(self) -> None:
        """Wait until no connection is open."""
        while self._connections:
            self._empty.clear()
            await self._empty.wait()

    def __call__(self) -> RequestHandler:
        """A protocol for the next connection."""
        return IngestProtocol(self, self._loop, **self._kwargs)
