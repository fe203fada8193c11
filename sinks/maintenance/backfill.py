"""Counts every window of a time range again from the raw events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.kept import iso, read_kept
from sinks.maintenance import Progress
from sinks.upkeep.recount import TABLES, backfill_sql
from sori.errors import ConfigError
from sori.settings import Settings

_STEP_S = 3600


def backfill(client: Client, settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: start, end (epoch seconds; windows that begin in between). Hour by hour; safe to repeat or to break.

    Windows that are still being counted are overtaken by the stream's next row, so the present may be included. Raises
    ConfigError for windows whose raw events have aged out: counted again they would lose what is no longer there.
    """
    window_s = settings.streams.window_s
    start, end = int(params["start"]) // window_s * window_s, int(params["end"])
    if end <= start:
        raise ConfigError("backfill: the end must come after the start")
    first_whole = countable_from(client, window_s)
    if start < first_whole:
        raise ConfigError(
            f"backfill: raw events are complete only since {iso(first_whole)} (clickhouse.events_days, windows_days): "
            f"windows before that are kept as they are; start there or later, not at {iso(start)}"
        )
    before = _versions(client, start, end)
    for first in range(start, end, _STEP_S):
        after = min(end, first + _STEP_S)
        for counted in TABLES:
            client.command(backfill_sql(counted, first, after, window_s))
        yield {"done": after - start, "total": end - start, "note": "recounting"}
    yield {"result": {"windows": _versions(client, start, end), "windows_before": before}}


def countable_from(client: Client, window_s: int) -> int:
    """The first window, epoch seconds, that may be counted again; 0: any."""
    return -(-read_kept(lambda sql: client.query(sql).result_rows).countable // window_s) * window_s


def _versions(client: Client, start: int, end: int) -> int:
    query = (
        "SELECT count() FROM ctr_by_minute WHERE minute >= toDateTime({start:Int64}, 'UTC')"
        " AND minute < toDateTime({end:Int64}, 'UTC')"
    )
    return int(client.query(query, parameters={"start": start, "end": end}).result_rows[0][0])
