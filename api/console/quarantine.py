"""GET /v1/quarantine: what is held, latest first, in pages. POST /v1/quarantine/replay: try some of it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any

import msgspec
from aiohttp import web

from api.auth.access import require
from api.console.asking import slice_of
from api.query.ctr_sql import quote
from api.query.paging import among, cursor_of, limit_of, page, time_text
from api.query.pool import EnginePool
from api.query.questions import Questions, answer_async
from api.query.row_times import iso
from api.query.slice import Slice, second
from sori.errors import QueryError
from sori.quarantine import Known

_KEYS = ("received_at", "id")
#: Beginning of a body that is shown, characters.
_SHOWN = 2000
Ids = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=4, max_length=100)]], msgspec.Meta(min_length=1, max_length=100)
]
#: Ids, accounts (None: every one) and what we know to what became of them:
#: {"landed": [id], "refused": [{"id", "detail"}]}.
Replay = Callable[[Collection[str], frozenset[str] | None, Known], Awaitable[dict[str, Any]]]


class ReplayThese(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /v1/quarantine/replay."""

    ids: Ids


async def no_replay(_ids: Collection[str], _accounts: frozenset[str] | None, _known: Known) -> dict[str, Any]:
    """Where this process cannot replay."""
    raise web.HTTPServiceUnavailable(text="this API cannot replay; use `sori quarantine replay ID`")


def add_quarantine(app: web.Application, pool: EnginePool, replay: Replay = no_replay) -> None:
    """Add both routes."""
    one_at_a_time = asyncio.Lock()

    async def held(request: web.Request) -> web.Response:
        asked, limit = slice_of(request), limit_of(request.query)
        after = cursor_of(request.query, len(_KEYS))
        rows = await pool.rows(held_sql(asked, request.query.getall("reason", []), after, limit + 1))
        found = page(rows, limit, _KEYS)
        return web.json_response({**found, "rows": [iso(row, ("received_at",)) for row in found["rows"]]})

    async def again(request: web.Request) -> web.Response:
        grant = require(request, "manage")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="the body must be application/json")
        try:
            wanted = msgspec.json.decode(await request.read(), type=ReplayThese)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise QueryError(f'the body must be {{"ids": ["…"]}}: {error}') from error
        async with one_at_a_time:
            return web.json_response(await replay(wanted.ids, grant.accounts, await _known(pool, wanted.ids)))

    app.router.add_get("/v1/quarantine", held)
    app.router.add_post("/v1/quarantine/replay", again)


async def _known(pool: EnginePool, ids: Collection[str]) -> Known:
    return await answer_async(where_held(among("id", sorted(set(ids)))), pool.rows)


def where_held(condition: str) -> Questions[Known]:
    """Where what is held lies in the topic, so that a replay reads that, and what came since, alone.

    Yields SQL, is sent its rows.
    """
    ends = yield (
        "SELECT kafka_partition, max(kafka_offset) AS last FROM quarantine"
        " WHERE log = (SELECT argMax(log, received_at) FROM quarantine) GROUP BY kafka_partition"
    )
    # after that: what came meanwhile is read twice, and not left out
    rows = yield f"SELECT id, kafka_partition, kafka_offset FROM quarantine_current WHERE {condition}"  # noqa: S608 - quoted
    return Known(
        {row["id"]: (row["kafka_partition"], row["kafka_offset"]) for row in rows},
        {row["kafka_partition"]: row["last"] + 1 for row in ends},
    )


def held_sql(asked: Slice, reasons: list[str], after: tuple[str, ...] | None, limit: int) -> str:
    """What was received in the slice; `after` is (received_at, id) of the last row already seen."""
    conditions = [
        f"c.received_at >= {second(asked.since)}",
        f"c.received_at < {second(asked.until)}",
        *asked.chips(("account_id",)),
        among("c.reason", reasons),
    ]
    if after is not None:
        at = time_text(after[0])
        conditions.append(f"(c.received_at < {at} OR (c.received_at = {at} AND c.id < {quote(after[1])}))")
    where = " AND ".join(part for part in conditions if part)
    return (
        "SELECT c.received_at AS received_at, c.id AS id, c.reason AS reason, c.detail AS detail, c.field AS field,"  # noqa: S608 - quoted
        f" c.endpoint AS endpoint, c.account_id AS account_id, substringUTF8(c.raw, 1, {_SHOWN}) AS body"
        f" FROM quarantine_current AS c WHERE {where} ORDER BY c.received_at DESC, c.id DESC LIMIT {int(limit)}"
    )
