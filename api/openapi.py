"""GET /v1/openapi.json: every route that is served, described from the table that requests are validated by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from api.app import Ask
from api.console.quarantine import ReplayThese
from api.contract.shapes import components
from api.contract.table import ROUTES, Route
from api.subscriptions.routes import Change, Create, Redeliver, Rotate
from api.verdicts.making import Judge

_TEXT = {"type": "string"}
_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_ERRORS = {str(code): _PROBLEM for code in (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)}
#: Of a line each, or of the data of each event.
_IN_LINES = ("application/x-ndjson", "text/event-stream")
#: Bodies without which the request means nothing.
_REQUIRED = {"Ask", "Create", "Judge", "Redeliver", "ReplayThese"}
_LAST_ID = {"name": "Last-Event-ID", "in": "header", "schema": _TEXT, "description": "Resume behind this event."}


def add_openapi(app: web.Application) -> None:
    """Add the route; it needs no token."""

    made: list[dict[str, Any]] = []

    async def handle(request: web.Request) -> web.Response:
        if not made:  # now every route is there
            made.append(openapi(served(request.app)))
        return web.json_response(made[0])

    app.router.add_get("/v1/openapi.json", handle)


def served(app: web.Application) -> set[tuple[str, str]]:
    """Method and path of every route of an application; HEAD goes with GET."""
    return {
        (one.method, one.resource.canonical) for one in app.router.routes() if one.resource and one.method != "HEAD"
    }


def openapi(keys: Iterable[tuple[str, str]] | None = None) -> dict[str, Any]:
    """The document, OpenAPI 3.1, of the routes with these methods and paths; of all, if none are given."""
    wanted = None if keys is None else set(keys)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in ROUTES:
        if wanted is None or (route.method, route.path) in wanted:
            paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SORI event pipeline", "version": "1"},
        "components": {
            "schemas": components((Ask, Create, Change, Rotate, Redeliver, ReplayThese, Judge)),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "note": {"type": "http", "scheme": "bearer", "description": "The token in the data directory."},
            },
        },
        "paths": paths,
    }


def _operation(route: Route) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done."}
    if route.answers:
        done["content"] = {kind: {"schema": _shape(route, kind)} for kind in route.answers}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "security": _security(route),
        "responses": {str(route.status): done, **_ERRORS},
    }
    if route.path == "/readyz":
        operation["responses"]["503"] = {**done, "description": "Not ready, and why."}
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body:
        content: dict[str, Any] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{route.body}"}}}
        if route.body == "Ask":
            content["text/plain"] = {"schema": _TEXT}
        operation["requestBody"] = {"required": route.body in _REQUIRED, "content": content}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    """What proves that one may: a token of this role (OpenAPI 3.1 names roles so), or nothing where all is local."""
    if route.scope == "open":
        return []
    if route.scope == "note":
        return [{"note": []}]
    return [{"token": ["manage" if route.manages else "read"]}, {}]


def _shape(route: Route, kind: str) -> dict[str, Any]:
    if kind == "application/json":
        return {"$ref": f"#/components/schemas/{route.shape}"}
    if kind in _IN_LINES and route.lines:
        inner = {"$ref": f"#/components/schemas/{route.lines}"}
        return {**_TEXT, "contentMediaType": kind, "contentSchema": inner}
    return {**_TEXT, "contentMediaType": kind}


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    in_path = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]
    in_head = [_LAST_ID] if route.resumes else []
    return [*in_path, *(one.described() for one in route.parameters), *in_head]
