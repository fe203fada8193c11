"""/v1/verdicts: what analysts say of alerts. Reading needs `read`, everything else `manage`.

GET /v1/verdicts   POST /v1/verdicts   DELETE /v1/verdicts/{id}
A token for some accounts sees, judges and withdraws theirs alone. A verdict is withdrawn by a record, never removed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

import msgspec
import structlog
from aiohttp import web

from api.auth.access import require
from api.auth.grants import Grant
from api.kafka.views import KafkaSide
from api.query.paging import cursor_of, limit_of, make_cursor
from api.query.pool import EnginePool
from api.query.questions import answer_async
from api.subscriptions.routes import body_of
from api.verdicts.making import Judge, judged
from api.verdicts.target import NoSuchTarget, Target, find_target
from sori.alerting.verdict import Verdict, encode, verdict_id
from sori.errors import ConfigError, TooManyVerdicts
from sori.times import iso

_log = structlog.get_logger(__name__)


def add_verdicts(app: web.Application, side: KafkaSide, pool: EnginePool) -> None:
    """Add every route of the table above."""
    routes = _Routes(side, pool)
    app.router.add_get("/v1/verdicts", routes.list)
    app.router.add_post("/v1/verdicts", routes.judge)
    app.router.add_delete("/v1/verdicts/{id}", routes.withdraw)


class _Routes:
    def __init__(self, side: KafkaSide, pool: EnginePool) -> None:
        self._side = side
        self._pool = pool
        self._one_at_a_time = asyncio.Lock()

    async def list(self, request: web.Request) -> web.Response:
        grant = require(request, "read")
        self._side.require()
        limit, after = limit_of(request.query), cursor_of(request.query, 2)
        accounts = _within(grant, request.query.getall("account", []))
        targets, said = request.query.getall("target", []), request.query.getall("verdict", [])
        rows = [
            one
            for one in self._side.verdict_index.in_force(accounts)
            if (not targets or one.target in targets) and (not said or one.verdict in said)
            if after is None or _place(one) < after
        ]
        following = make_cursor(_place(rows[limit - 1])) if len(rows) > limit else None
        return web.json_response({"rows": [shown(one) for one in rows[:limit]], "next": following})

    async def judge(self, request: web.Request) -> web.Response:
        grant = require(request, "manage")
        said = await body_of(request, Judge)
        self._side.require()
        target = await self._find(said.target, grant)
        async with self._one_at_a_time:
            index = self._side.verdict_index
            try:
                verdict = judged(said, target, index.get(verdict_id(target.target)), grant.token_id, _now_ms())
                index.check_room(verdict)
            except ConfigError as error:
                raise web.HTTPUnprocessableEntity(text=str(error)) from error
            except TooManyVerdicts as error:
                raise web.HTTPConflict(text=str(error)) from error
            await self._save(verdict)
        return web.json_response(shown(verdict), status=201)

    async def withdraw(self, request: web.Request) -> web.Response:
        grant = require(request, "manage")
        self._side.require()
        async with self._one_at_a_time:
            found = self._side.verdict_index.get(request.match_info["id"])
            if found is None or not found.in_force or not _may(grant, found.account_id):
                raise web.HTTPNotFound(text="no such verdict")
            gone = found.withdrawn(iso(_now_ms()), request.query.get("withdrawn_by", ""), grant.token_id)
            try:
                gone.check()
            except ConfigError as error:
                raise web.HTTPUnprocessableEntity(text=str(error)) from error
            await self._save(gone)
        return web.Response(status=204)

    async def _find(self, wanted: str, grant: Grant) -> Target:
        finding = find_target(wanted, () if grant.accounts is None else sorted(grant.accounts))
        try:
            return await answer_async(finding, self._pool.rows)
        except NoSuchTarget as error:
            raise web.HTTPNotFound(text=str(error)) from error

    async def _save(self, verdict: Verdict) -> None:
        await self._side.verdicts.put(verdict.verdict_id, encode(verdict))
        _log.info(
            "verdict_kept",
            state=verdict.state,
            verdict=verdict.verdict_id,
            target=verdict.target,
            said=verdict.verdict,
            allows=len(verdict.allows),
            token=verdict.token,
            by=verdict.by,
        )


def shown(verdict: Verdict) -> dict[str, Any]:
    """As JSON."""
    found: dict[str, Any] = msgspec.to_builtins(verdict)
    return found


def _within(grant: Grant, asked: Collection[str]) -> Collection[str] | None:
    if grant.accounts is None:
        return asked or None
    return [one for one in asked if one in grant.accounts] if asked else sorted(grant.accounts)


def _may(grant: Grant, account: str) -> bool:
    return grant.accounts is None or account in grant.accounts


def _place(verdict: Verdict) -> tuple[str, ...]:
    """Where it stands in the list, as a cursor has it."""
    return verdict.made_at.replace("T", " ").removesuffix("Z"), verdict.verdict_id


def _now_ms() -> int:
    return int(time.time() * 1000)
