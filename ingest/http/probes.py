"""GET /healthz and /readyz on the webhook port, for load balancers; metrics are on the admin port alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from ingest.http import responses

#: Reasons why nothing can be stored now, by name; empty means ready.
Readiness = Callable[[], Mapping[str, str]]


class Probes:
    """Answers the two paths."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._routes = {"/healthz": self._healthz, "/readyz": self._readyz}

    async def answer(self, path: str, *, close: bool) -> web.StreamResponse | None:
        """The answer, or None when the path is no probe."""
        route = self._routes.get(path)
        return None if route is None else await route(close=close)

    async def _healthz(self, *, close: bool) -> web.StreamResponse:
        """Alive as long as the loop turns; Kafka has no say, or an outage would have us restarted."""
        return responses.plain(200, "application/json", b'{"status":"ok"}', close=close)

    async def _readyz(self, *, close: bool) -> web.StreamResponse:
        missing = self._readiness()
        body = {"status": "not ready", "not_ready": missing} if missing else {"status": "ready"}
        return responses.plain(503 if missing else 200, "application/json", orjson.dumps(body), close=close)
