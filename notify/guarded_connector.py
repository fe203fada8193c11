"""An HTTP client that goes to public addresses only.

The check sits where the socket is made, with the very address it will connect to: nothing resolves again after it, so
neither an address written out, nor a second DNS answer, nor a second address of the same name gets around it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from sori.alerting.targets import Network, may_connect
from sori.settings.notify import NotifySettings

_KEEP_ALIVE_S = 60.0


@dataclass(slots=True)
class Use:
    """What a request's connection is: one kept from an earlier request, or a new one."""

    kept: bool = False


class BlockedAddress(OSError):
    """The address is not one that webhooks may go to."""


def open_session(
    settings: NotifySettings, resolver: aiohttp.abc.AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """A session for webhooks: no cookies, no proxy, no netrc; no bound over all, so that nobody waits for another."""
    connector = aiohttp.TCPConnector(
        limit=0,
        limit_per_host=0,
        resolver=resolver,
        ttl_dns_cache=30,
        keepalive_timeout=_KEEP_ALIVE_S,
        socket_factory=_guard(settings.allowed),
    )
    timeout = aiohttp.ClientTimeout(
        total=settings.timeout_s, connect=settings.connect_timeout_s, sock_connect=settings.connect_timeout_s
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # what a subscriber answers is only counted, never inflated
        trace_configs=[_noting_kept_connections()],
        max_line_size=8190,
        max_field_size=8190,
        headers={"User-Agent": "sori-event-pipeline (fraud alerts)"},
    )


def _noting_kept_connections() -> aiohttp.TraceConfig:
    """Fills the `Use` that a request brings as its trace context."""

    async def note(_session: object, context: SimpleNamespace, _params: object) -> None:
        if isinstance(context.trace_request_ctx, Use):
            context.trace_request_ctx.kept = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


def _guard(allowed: Sequence[Network]) -> Any:
    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, address = info
        if not may_connect(str(address[0]), allowed):
            raise BlockedAddress(errno.EACCES, f"{address[0]} is not a public address")
        return socket.socket(family=family, type=kind, proto=proto)

    return make
