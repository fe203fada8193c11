"""GET /v1/openapi.json: alerts, streams and subscriptions, described from the types that are decoded."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from aiohttp import web

from api.alerts.filters import PARAMETERS
from api.query.paging import DEFAULT, MOST
from api.subscriptions.attempts import Outcome
from api.subscriptions.routes import Change, Create, Redeliver, Rotate
from sori.alerting.filter import AlertFilter

_TEXT = {"type": "string"}
_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_ERRORS = {str(code): _PROBLEM for code in (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)}
_SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "properties": {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
        "required": ["type", "title", "status", "detail"],
    },
    "Page": {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"type": "object"}},
            "next": {"type": ["string", "null"], "description": "Pass it as cursor; null at the end."},
        },
        "required": ["rows", "next"],
    },
}


def add_openapi(app: web.Application) -> None:
    """Add the route; it needs no token."""
    document = openapi()

    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(document)

    app.router.add_get("/v1/openapi.json", handle)


def openapi() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    _, schemas = msgspec.json.schema_components(
        [Create, Change, Rotate, Redeliver], ref_template="#/components/schemas/{name}"
    )
    base = "/v1/subscriptions"
    one = base + "/{id}"
    return {
        "openapi": "3.1.0",
        "info": {"title": "SORI event pipeline: fraud alerts", "version": "1"},
        "components": {
            "schemas": {**schemas, **_SCHEMAS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
        "paths": {
            "/v1/alerts": {
                "get": _operation("Stored alerts, latest change first, in pages", _filters() + _paging(), answer="Page")
            },
            "/v1/alerts/stream": {
                "get": _operation("Alerts as server-sent events, as they happen", [*_filters(), _LAST_ID], stream=True)
            },
            base: {
                "get": _operation("Every subscription of this token's accounts"),
                "post": _operation("Subscribe; the answer shows the secret once", body="Create", status=201),
            },
            one: {
                "parameters": [_ID],
                "get": _operation("One subscription, and where its deliveries stand"),
                "patch": _operation("Change it; what is absent stays", body="Change"),
                "delete": _operation("Remove it", status=204),
            },
            one + "/rotate": {
                "parameters": [_ID],
                "post": _operation("A new secret, shown once; the former one signs too for a while", body="Rotate"),
            },
            one + "/redeliver": {
                "parameters": [_ID],
                "post": _operation("Send the alerts of a time once more", body="Redeliver", status=202),
            },
            one + "/attempts": {
                "parameters": [_ID],
                "get": _operation(
                    "What became of its webhooks, latest first, in pages", [_outcomes(), *_paging()], answer="Page"
                ),
            },
            one + "/test": {"parameters": [_ID], "post": _operation("Send a test delivery", status=202)},
            one + "/resume": {"parameters": [_ID], "post": _operation("Enable it and deliver what waits", status=202)},
        },
    }


_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_LAST_ID = {"name": "Last-Event-ID", "in": "header", "schema": _TEXT, "description": "Resume behind this event."}


def _operation(
    summary: str,
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: str = "",
    answer: str = "",
    status: int = 200,
    stream: bool = False,
) -> dict[str, Any]:
    kind = "text/event-stream" if stream else "application/json"
    shape: dict[str, Any] = {"$ref": f"#/components/schemas/{answer}"} if answer else {"type": "object"}
    done: dict[str, Any] = {"description": "Done."}
    if status != 204:
        done["content"] = {kind: {"schema": _TEXT if stream else shape}}
    operation: dict[str, Any] = {"summary": summary, "responses": {str(status): done, **_ERRORS}}
    if parameters:
        operation["parameters"] = parameters
    if body:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        operation["requestBody"] = {"required": body in {"Create", "Redeliver"}, "content": content}
    return operation


def _filters() -> list[dict[str, Any]]:
    """From the types: each parameter may be repeated, and takes what its field of the filter takes."""
    _, found = msgspec.json.schema_components([AlertFilter])
    fields = found["AlertFilter"]["properties"]
    return [
        {"name": name, "in": "query", "schema": {k: v for k, v in fields[field].items() if k != "default"}}
        for name, field in PARAMETERS.items()
    ]


def _outcomes() -> dict[str, Any]:
    items = {"type": "string", "enum": list(get_args(Outcome))}
    return {"name": "outcome", "in": "query", "schema": {"type": "array", "items": items}}


def _paging() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
    moment = {**_TEXT, "description": "15m, 2h, 7d before now, or an ISO 8601 date or date-time."}
    cursor = {**_TEXT, "description": "`next` of the page before."}
    kinds = {"since": moment, "until": moment, "cursor": cursor, "limit": limit}
    return [{"name": name, "in": "query", "schema": schema} for name, schema in kinds.items()]
