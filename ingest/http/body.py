"""Reads one body as it is on the wire, within a size and a time."""

from __future__ import annotations

import asyncio

from aiohttp import web


class BodyTooLarge(ValueError):
    """The body, as announced or as arrived, is beyond the limit."""


class BodyTooSlow(TimeoutError):
    """The body did not arrive in time."""


class BodyBroken(ValueError):
    """The connection ended or the chunks made no sense."""


async def read_body(request: web.BaseRequest, limit: int, timeout_s: float) -> bytes:
    """The body, at most `limit` bytes. Raises BodyTooLarge, BodyTooSlow or BodyBroken."""
    content = request.content
    announced = request.content_length
    if announced is not None and announced > limit:
        raise BodyTooLarge
    if content.is_eof():
        # nearly always: head and body came in one segment, and no timer is needed
        body = content.read_nowait(-1)
        if len(body) > limit:
            raise BodyTooLarge
        return body
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(request, limit)
    except TimeoutError as error:
        raise BodyTooSlow from error
    except (ConnectionError, web.RequestPayloadError, EOFError) as error:
        raise BodyBroken(str(error)) from error


async def _collect(request: web.BaseRequest, limit: int) -> bytes:
    parts = bytearray()
    while part := await request.content.readany():
        parts += part
        if len(parts) > limit:
            raise BodyTooLarge
    return bytes(parts)
