"""Counts every window of a time range again from the raw events, and has repetitions in it looked up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.kept import iso, read_kept
from sinks.maintenance import Progress
from sinks.upkeep.pending import doubted_sql, request_sql, waiting_sql
from sinks.upkeep.recount import TABLES, backfill_sql, between
from sinks.upkeep.repetition_sql import unnoted_sql
from sinks.upkeep.stored import STORED_SQL, Stored
from sori.errors import ConfigError
from sori.settings import Settings

_STEP_S = 3600
#: Deliveries that are looked up at once.
_LOOKED_AT = 1_000_000


def backfill(client: Client, settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: start, end (epoch seconds; windows that begin in between). Hour by hour; safe to repeat or to break.

    Windows that are still being counted are overtaken by the stream's next row, so the present may be included. While
    the sinks lag, windows that have events on their way are counted when those have come (`windows_waiting`).
    Deliveries that no one noted, or whose event is there twice, are looked up by the sinks as if they came now. Raises
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
    for first, after in _stretches(client, start, end):
        for statement in unnoted_sql(first, after):
            client.command(statement)
        yield {"done": after - start, "total": 2 * (end - start), "note": "looking for what came twice"}
    for step in recount_range(client, settings, (start, end), read_stored(client, settings)):
        yield step if "result" in step else {**step, "done": end - start + step["done"], "total": 2 * (end - start)}


def recount_range(client: Client, settings: Settings, bounds: tuple[int, int], stored: Stored) -> Iterator[Progress]:
    """Count windows of `bounds` again; those with events that are not `stored` when the sinks have stored them."""
    (start, end), window_s = bounds, settings.streams.window_s
    before, waiting = _versions(client, start, end), 0
    doubted = {row[0] for row in client.query(doubted_sql(start, end, _STEP_S, stored)).result_rows}
    for first in range(start, end, _STEP_S):
        after = min(end, first + _STEP_S)
        requests = [request_sql(first, after, window_s, stored)] if first in doubted else []
        for request in requests:
            client.command(request)  # if the recount breaks off
        for counted in TABLES:
            client.command(backfill_sql(counted, first, after, window_s, stored))
        for request in requests:
            client.command(request)  # if the repair was quicker than the recount
            waiting += int(client.query(waiting_sql(first, after, stored)).result_rows[0][0])
        yield {"done": after - start, "total": end - start, "note": "recounting"}
    yield {
        "result": {
            "windows": _versions(client, start, end),
            "windows_before": before,
            "windows_waiting": waiting,
        }
    }


def _stretches(client: Client, start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) in pieces with about so many events, whole hours at least: few where little is stored."""
    held, begun = 0, start
    query = f"SELECT {_hour_sql(start)} AS hour, count() FROM events WHERE {between('created_at', start, end)}"  # noqa: S608 - numbers
    for hour, events in client.query(f"{query} GROUP BY hour ORDER BY hour").result_rows:
        if held and held + events > _LOOKED_AT:
            yield begun, int(hour)
            held, begun = 0, int(hour)
        held += events
    yield begun, end


def read_stored(client: Client, settings: Settings) -> Stored:
    """What the events sink has stored, as far as rows tell."""
    ends = {(int(p), int(log)): int(end) for p, log, end in client.query(STORED_SQL).result_rows}
    return Stored(ends, settings.sinks.max_batch_rows)


def countable_from(client: Client, window_s: int) -> int:
    """The first window, epoch seconds, that may be counted again; 0: any."""
    return -(-read_kept(lambda sql: client.query(sql).result_rows).countable // window_s) * window_s


def _hour_sql(start: int) -> str:
    """Begin, epoch seconds, of the hours that are counted from `start`."""
    return f"intDiv(toUInt32(toDateTime(created_at, 'UTC')) - {start}, {_STEP_S}) * {_STEP_S} + {start}"


def _versions(client: Client, start: int, end: int) -> int:
    query = (
        "SELECT count() FROM ctr_by_minute WHERE minute >= toDateTime({start:Int64}, 'UTC')"
        " AND minute < toDateTime({end:Int64}, 'UTC')"
    )
    return int(client.query(query, parameters={"start": start, "end": end}).result_rows[0][0])
