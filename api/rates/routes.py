"""GET /v1/ctr: click-through rates, filtered, crossed and sorted, within the accounts of the token.

?by= (repeatable, or joined by commas) &campaign= &material= &device= &platform= &country= &region= &city= &account=
(each repeatable) &since= &until= &sort= &limit= &format=json|csv|ndjson|parquet
The answer is {"by": [...], "rows": [...]}, or the rows alone in another format.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from api.auth.access import require
from api.query.ctr_question import FILTERS, FORMATS, asked_ctr, ctr
from api.query.pool import EnginePool
from sori.alerting.filter import narrowed

_NAMES = (*FILTERS, "by", "since", "until", "sort", "limit")
_TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=UTF-8",
    "parquet": "application/vnd.apache.parquet",
}


def add_rates(app: web.Application, pool: EnginePool) -> None:
    """Add the route."""

    async def handle(request: web.Request) -> web.Response:
        grant = require(request, "read")
        question = asked_ctr({name: request.query.getall(name, []) for name in _NAMES})
        only = dict(question.only)
        accounts = narrowed(only.get("account_id", ()), grant.accounts)
        if accounts is None:  # none of the accounts asked for is the token's
            accounts, question = tuple(sorted(grant.accounts or ())), replace(question, limit=0)
        if accounts:
            only["account_id"] = accounts
        fmt = request.query.get("format", "json")
        sql = ctr(replace(question, only=tuple(only.items())), fmt)
        if fmt == "json":
            return web.json_response({"by": list(question.by), "rows": await pool.rows(sql)})
        return web.Response(body=await pool.raw(sql, FORMATS[fmt]), headers={"Content-Type": _TYPES[fmt]})

    app.router.add_get("/v1/ctr", handle)
