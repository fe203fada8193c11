"""The server's side of the table: what it does not name is refused before any handler runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from api.auth.access import Scope
from api.auth.refusals import refusal
from api.contract.parameters import check_all
from api.contract.table import Route, route_for
from sori.errors import QueryError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_check(app: web.Application) -> None:
    """Refuse unknown parameters and values with 400, on every route that answers a question.

    Probes, metrics and the page's files ask nothing: what a load balancer or a browser adds to them is ignored.
    """

    @web.middleware
    async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        route = route_of(request)
        if is_served(request) and (route is None or route.scope != "open"):
            try:
                given = {name: request.query.getall(name) for name in request.query}
                check_all(() if route is None else route.parameters, given)
            except QueryError as error:
                raise refusal(web.HTTPBadRequest, "parameter", str(error)) from error
        return await handler(request)

    app.middlewares.append(check)


def is_served(request: web.Request) -> bool:
    """Whether there is such a path and method at all; if not, its handler says so."""
    return request.match_info.http_exception is None


def route_of(request: web.Request) -> Route | None:
    """The row of the table that this request is for."""
    resource = request.match_info.route.resource
    return None if resource is None else route_for(request.method, resource.canonical)


def scope_of(request: web.Request) -> Scope:
    """Who may ask; what the table does not name needs a token for every account."""
    if isinstance(request.match_info.http_exception, web.HTTPMethodNotAllowed):
        return "accounts"  # the answer names methods, and nothing else
    route = route_of(request)
    return "all" if route is None else route.scope
