"""After bad HTTP nothing that follows can be understood, but whoever still sends must be able to read the answer."""

from __future__ import annotations

import asyncio


class _Lingering(asyncio.Protocol):
    """Takes a connection over from its protocol and drops what comes; `gone` is set when nothing more will."""

    def __init__(self, before: asyncio.BaseProtocol) -> None:
        self._before = before
        self.gone = asyncio.Event()

    def eof_received(self) -> None:
        """The sender is done; the transport closes itself."""
        self.gone.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The protocol before us keeps the books."""
        self.gone.set()
        self._before.connection_lost(exc)


async def hear_out(protocol: asyncio.BaseProtocol, transport: asyncio.Transport, timeout_s: float) -> None:
    """Read on for a while: closing a socket with unread bytes resets it, and the sender never sees the answer."""
    deaf = _Lingering(protocol)
    transport.set_protocol(deaf)
    if not transport.is_reading():
        transport.resume_reading()  # it was paused for a queue of requests that nobody will answer
    if transport.can_write_eof():
        transport.write_eof()
    try:
        async with asyncio.timeout(timeout_s):
            await deaf.gone.wait()
    except TimeoutError:
        return  # it has had its while; the caller closes
