"""GET /v1/audit: logins that SORI reported beside the customer's own session records, within a time.

The answer is {"counts": {class: n}, "rows": [...]}: the rows that do not match first.
"""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from api.console.asking import slice_of
from api.query.audit_sql import TIMES, audit_source
from api.query.pool import EnginePool
from api.query.row_times import iso
from sori.errors import QueryError

CLASSES = ("matched", "mismatched", "only_in_sori", "only_in_own")
DEFAULT_TOLERANCE_S, MOST_TOLERANCE_S = 300, 86_400
_LONGEST = timedelta(days=31)


def add_audit(app: web.Application, pool: EnginePool) -> None:
    """Add the route."""

    async def handle(request: web.Request) -> web.Response:
        asked = slice_of(request)
        if asked.until - asked.since > _LONGEST:
            raise QueryError(f"an audit is of at most {_LONGEST.days} days: choose a shorter time")
        tolerance = int(request.query.get("tolerance", DEFAULT_TOLERANCE_S))
        limit = int(request.query.get("limit", 200))
        source = audit_source(tolerance, asked.since, asked.until, asked.accounts)
        counts = await pool.rows(f"SELECT class, count() AS n FROM {source} GROUP BY class")  # noqa: S608 - quoted
        rows = await pool.rows(
            f"SELECT * EXCEPT (at) FROM {source} ORDER BY class = 'matched', at DESC LIMIT {limit}"  # noqa: S608 - quoted
        )
        found = {row["class"]: int(row["n"]) for row in counts}
        return web.json_response(
            {"counts": {name: found.get(name, 0) for name in CLASSES}, "rows": [iso(row, TIMES) for row in rows]}
        )

    app.router.add_get("/v1/audit", handle)
