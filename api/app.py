"""The read side over HTTP.

GET  /healthz  /readyz  /metrics
POST /v1/query   SQL, as text or as {"query", "format"}; ?format= names any ClickHouse output format
Rates, alerts, subscriptions and the gate in front of /v1 are added by api/routes.py.
Errors are RFC 9457 problem JSON.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from api.query.engine import DEFAULT_FORMAT
from api.query.pool import EnginePool
from runtime.http import Readiness, add_admin_routes
from runtime.telemetry.metrics import counter, histogram
from sori import metrics
from sori.errors import ConfigError, QueryError, StorageUnavailable

POOL = web.AppKey("pool", EnginePool)

_MAX_QUERY_BYTES = 1024 * 1024
_KEPT_HEADERS = ("Retry-After", "WWW-Authenticate", "Allow")
_FORMAT = re.compile(r"\w{1,64}")
_CONTENT_TYPES = {
    "JSON": "application/json",
    "JSONEachRow": "application/x-ndjson",
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "Parquet": "application/vnd.apache.parquet",
}


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """JSON body of POST /v1/query."""

    query: str
    format: str | None = None


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(pool: EnginePool, readiness: Readiness | None = None) -> web.Application:
    """The application; it closes the pool when it ends. Without other `readiness` it is ready when ClickHouse is."""

    async def clickhouse_answers() -> dict[str, str]:
        try:
            await pool.raw("SELECT 1")
        except (QueryError, StorageUnavailable, ConfigError) as error:
            return {"clickhouse": str(error)}
        return {}

    app = web.Application(middlewares=[_problems], client_max_size=_MAX_QUERY_BYTES)
    app[POOL] = pool
    app.on_cleanup.append(_close_pool)
    add_admin_routes(app, readiness or clickhouse_answers)
    app.router.add_post("/v1/query", _query)
    return app


async def _close_pool(app: web.Application) -> None:
    app[POOL].close()


@web.middleware
async def _problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except QueryError as error:
        return _problem(400, "query-refused", "The query was refused", str(error))
    except (StorageUnavailable, ConfigError) as error:
        return _problem(503, "storage-unavailable", "ClickHouse cannot answer now", str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = _problem(error.status, "http", error.reason, error.text or error.reason)
        answer.headers.update({name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers})
        return answer


def _problem(status: int, kind: str, title: str, detail: str) -> web.Response:
    body = {"type": f"urn:sori:problem:{kind}", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


async def _query(request: web.Request) -> web.Response:
    sql, fmt = _read_body(await request.read(), request.content_type)
    fmt = request.query.get("format", fmt)
    if not _FORMAT.fullmatch(fmt):
        raise QueryError(f"not a format: {fmt!r}")
    counter(metrics.API_QUERIES).inc()
    with histogram(metrics.API_QUERY_SECONDS).time():
        answer = await request.app[POOL].raw(sql, fmt)
    return web.Response(body=answer, headers={"Content-Type": _CONTENT_TYPES.get(fmt, "application/octet-stream")})


def _read_body(body: bytes, content_type: str) -> tuple[str, str]:
    try:
        text = body.decode()
        if content_type != "application/json":
            return text, DEFAULT_FORMAT
        asked = msgspec.json.decode(text, type=Ask)
        return asked.query, asked.format or DEFAULT_FORMAT
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise QueryError('the body must be SQL, or JSON such as {"query": "SELECT 1", "format": "CSV"}') from error
