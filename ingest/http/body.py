"""Reads one body as it is on the wire, within a size, a time and the memory for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

from aiohttp import web
from aiohttp.streams import StreamReader

from ingest.http.body_budget import Arriving, BodyBudget
from ingest.http.client_address import Network, request_client


class BodyTooLarge(ValueError):
    """The body, as announced or as arrived, is beyond the limit."""


class BodyTooSlow(TimeoutError):
    """The body did not arrive in time."""


class BodyBroken(ValueError):
    """The connection ended or the chunks made no sense."""


class BodyEvicted(OSError):
    """Its memory or its connection was needed for others."""


class Connection(Protocol):
    """What a body needs to know of the connection that it comes on."""

    @property
    def proven(self) -> bool:
        """Whether a verified event came on it before."""
        ...

    def wait_for_body(self, content: StreamReader) -> None:
        """From now on the connection waits for its client, and may be evicted."""
        ...

    def go_on(self) -> None:
        """It waits no longer."""
        ...


class BodyReader:
    """Reads bodies of at most `limit` bytes, each within `timeout_s`, all of them within `budget`."""

    def __init__(self, budget: BodyBudget, limit: int, timeout_s: float, trusted: Sequence[Network] = ()) -> None:
        self._budget = budget
        self._limit = limit
        self._timeout_s = timeout_s
        self._trusted = trusted

    async def read(self, request: web.BaseRequest) -> bytes:
        """The body as it is on the wire. Raises BodyTooLarge, BodyTooSlow, BodyBroken or BodyEvicted."""
        content, announced = request.content, request.content_length
        if announced is not None and announced > self._limit:
            raise BodyTooLarge(self._too_large)
        if content.is_eof():
            # nearly always: head and body came in one segment, and neither timer nor budget is needed
            body = content.read_nowait(-1)
            if len(body) > self._limit:
                raise BodyTooLarge(self._too_large)
            return body
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._arrive(content, cast("Connection", request.protocol), self.client(request))

    def client(self, request: web.BaseRequest) -> str:
        """Whose share of memory and time the request takes."""
        return request_client(request, self._trusted)

    @property
    def _too_large(self) -> str:
        return f"more than {self._limit} bytes on the wire"

    async def _arrive(self, content: StreamReader, connection: Connection, client: str) -> bytes:
        body = Arriving(
            client,
            lambda: content.set_exception(BodyEvicted("its memory was needed for others")),
            proven=connection.proven,
        )
        connection.wait_for_body(content)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._collect(content, body)
        except BodyEvicted:
            raise
        except TimeoutError as error:
            raise BodyTooSlow(f"not complete within {self._timeout_s:g} s") from error
        except (ConnectionError, web.RequestPayloadError, EOFError) as error:
            raise BodyBroken("the body broke off") from error
        finally:
            connection.go_on()
            self._budget.end(body)

    async def _collect(self, content: StreamReader, body: Arriving) -> bytes:
        parts = bytearray()
        while part := await content.readany():
            parts += part
            if len(parts) > self._limit:
                raise BodyTooLarge(self._too_large)
            self._budget.grow(body, len(part))
            if (evicted := content.exception()) is not None:
                raise evicted
        return bytes(parts)
