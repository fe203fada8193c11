"""Pages of other origins: which may read the API's answers (CORS). What such a page may ask, its token decides.

A token is never sent by a browser unasked, so any origin may be let in: a page without one is refused all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from api.auth.refusals import refusal
from sori.settings.api import ApiSettings

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_METHODS = "GET, POST, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, Last-Event-ID"
_EXPOSED = "Retry-After, WWW-Authenticate"
_ASKS = "Access-Control-Request-Method"
_PREFLIGHT_VARY = f"Origin, {_ASKS}, Access-Control-Request-Headers"
_REMEMBERED_S = 600


def add_cors(app: web.Application, settings: ApiSettings) -> None:
    """Answer preflights under /v1, and say on every answer there, errors and streams too, who may read it."""
    allowed = settings.allowed_origins

    def allow(origin: str) -> str | None:
        if "*" in allowed:
            return "*"
        return origin if origin in allowed else None

    @web.middleware
    async def cors(request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None or not request.path.startswith("/v1/") or not is_foreign(request):
            return await handler(request)
        if allow(origin) is None:
            raise refusal(
                web.HTTPForbidden,
                "origin",
                f"pages of {origin[:200]} may not use this API: list their origin in api.cors_origins "
                "(SORI_API__CORS_ORIGINS), and give them a token",
            )
        if request.method == "OPTIONS" and _ASKS in request.headers:
            return web.Response(
                status=204,
                headers={
                    "Access-Control-Allow-Methods": _METHODS,
                    "Access-Control-Allow-Headers": _HEADERS,
                    "Access-Control-Max-Age": str(_REMEMBERED_S),
                    "Vary": _PREFLIGHT_VARY,
                },
            )
        return await handler(request)

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith("/v1/"):
            return
        response.headers.setdefault("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and (reader := allow(origin)) is not None:
            response.headers["Access-Control-Allow-Origin"] = reader
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

    app.middlewares.append(cors)
    app.on_response_prepare.append(tell)


def is_foreign(request: web.Request) -> bool:
    """Whether a browser sends this for a page of somebody else."""
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host
