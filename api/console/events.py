"""GET /v1/events: raw events, latest first, in pages; of a device, a campaign, a place, …

GET /v1/funnel: how many impressions led to a click, and how soon; matched by account and activity_id.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from api.console.asking import slice_of
from api.query.ctr_sql import quote
from api.query.ctr_sums import events_of
from api.query.paging import cursor_of, limit_of, page, time_text
from api.query.pool import EnginePool
from api.query.row_times import iso
from api.query.slice import Slice, second
from sori.errors import QueryError

#: An impression and its click may share time and identity.
KEYS = ("created_at", "identity", "event")
_COLUMNS = (
    "created_at, received_at, event, account_id, identity, activity_id, device_id, platform, country, region, city,"
    " campaign_id, campaign_name, material_id, material_name"
)
#: Raw events are read for them: no more than so long.
LONGEST_EVENTS, LONGEST_FUNNEL = timedelta(days=31), timedelta(days=8)
#: Activities that a funnel groups at most; of more it takes a share.
_MOST_ACTIVITIES = 500_000
#: Upper bounds of the times to a click that are told, milliseconds.
STEPS_MS = (1000, 3000, 10_000, 30_000, 60_000, 300_000)


def add_events(app: web.Application, pool: EnginePool) -> None:
    """Add both routes."""

    async def events(request: web.Request) -> web.Response:
        asked, limit = slice_of(request), limit_of(request.query)
        _bounded(asked, LONGEST_EVENTS)
        rows = await pool.rows(events_sql(asked, cursor_of(request.query, len(KEYS)), limit + 1))
        found = page(rows, limit, KEYS)
        return web.json_response({**found, "rows": [iso(row, ("created_at", "received_at")) for row in found["rows"]]})

    async def funnel(request: web.Request) -> web.Response:
        asked = slice_of(request)
        _bounded(asked, LONGEST_FUNNEL)
        source = asked.source()
        counted = f"SELECT {source.sums} FROM {source.view} AS c WHERE {asked.where(source.time)}"  # noqa: S608 - quoted
        [sums] = await pool.rows(counted) or [{"impressions": 0, "clicks": 0}]
        share = max(1, -(-(sums["impressions"] + sums["clicks"]) // _MOST_ACTIVITIES))
        [found] = await pool.rows(funnel_sql(asked, share)) or [{}]
        return web.json_response(_funnel(found, share))

    app.router.add_get("/v1/events", events)
    app.router.add_get("/v1/funnel", funnel)


def events_sql(asked: Slice, after: tuple[str, ...] | None, limit: int) -> str:
    """Events of every kind; `after` is `KEYS` of the last row already seen."""
    conditions = [f"c.created_at >= {second(asked.since)}", f"c.created_at < {second(asked.until)}", *asked.chips()]
    if after is not None:
        at = time_text(after[0])
        behind = f"(c.identity, c.event) < ({', '.join(map(quote, after[1:]))})"
        conditions.append(f"(c.created_at < {at} OR (c.created_at = {at} AND {behind}))")
    return (
        f"SELECT {_COLUMNS} FROM {events_of(asked.devices)} AS c WHERE {' AND '.join(conditions)}"  # noqa: S608 - quoted
        f" ORDER BY c.created_at DESC, c.identity DESC, c.event DESC LIMIT {int(limit)}"
    )


def funnel_sql(asked: Slice, share: int) -> str:
    """Counts over one in `share` of the activities."""
    sampled = f" AND cityHash64(c.activity_id) % {int(share)} = 0" if share > 1 else ""
    steps = "".join(f"countIf(both AND dt < {step}) AS under_{step}, " for step in STEPS_MS)
    return f"""
        SELECT countIf(i > 0) AS impressions, countIf(k > 0) AS clicks, countIf(i > 0 AND k > 0) AS matched,
            uniqIf(d, i > 0) AS devices, uniqIf(d, k > 0) AS clicking_devices, {steps}
            countIf(both) AS timed, quantileIf(0.5)(dt, both) AS median_ms, quantileIf(0.9)(dt, both) AS p90_ms
        FROM (
            SELECT countIf(c.event = 'campaign.impression') AS i, countIf(c.event = 'campaign.click') AS k,
                any(c.device_id) AS d, i > 0 AND k > 0 AS both,
                dateDiff('millisecond', minIf(c.created_at, c.event = 'campaign.impression'),
                    minIf(c.created_at, c.event = 'campaign.click')) AS dt
            FROM {events_of(asked.devices)} AS c
            WHERE {asked.where("created_at")} AND c.activity_id != ''{sampled}
            GROUP BY c.account_id, c.activity_id)"""  # noqa: S608 - quoted


def _funnel(found: dict[str, Any], share: int) -> dict[str, Any]:
    count = {name: int(found.get(name) or 0) for name in ("impressions", "clicks", "matched", "timed")}
    under = [int(found.get(f"under_{step}") or 0) for step in STEPS_MS]
    times: list[dict[str, int | None]] = [
        {"below_ms": step, "clicks": n - m} for step, n, m in zip(STEPS_MS, under, [0, *under[:-1]], strict=True)
    ]
    times.append({"below_ms": None, "clicks": count["timed"] - under[-1]})
    return {
        "share": share,
        "impressions": count["impressions"],
        "devices": int(found.get("devices") or 0),
        "clicks": count["clicks"],
        "clicking_devices": int(found.get("clicking_devices") or 0),
        "matched": count["matched"],
        "median_ms": round(found["median_ms"]) if count["timed"] else None,
        "p90_ms": round(found["p90_ms"]) if count["timed"] else None,
        "times": times,
    }


def _bounded(asked: Slice, longest: timedelta) -> None:
    if asked.until - asked.since > longest:
        raise QueryError(f"raw events are read for at most {longest.days} days: choose a shorter time")
