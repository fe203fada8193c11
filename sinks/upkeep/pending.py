"""SQL about windows that are to be counted again: as late events and repetitions say, or as somebody asked. Pure."""

from __future__ import annotations

from sinks.upkeep.recount import DEVICES, KEYS, TABLES, between
from sinks.upkeep.stored import Stored

#: After so many seconds nothing of a log that nobody reads here any more is still on its way.
SETTLED_S = 3600
#: So many targets are looked at in one query.
PAGE = 10_000


def pending_sql(lookback_s: int, skip: int = 0) -> str:
    """The oldest targets that late events, repetitions and requests call for and no recount has answered.

    Of the last `lookback_s` seconds; requests until they are answered. A recount leaves no row of the stream standing.
    One that comes after it calls for another, whatever its version: it may be of a key that nothing was counted in, so
    that no row of the recount outranks it. Columns: those of Target.
    """
    keys = KEYS
    recent = f">= now() - {int(lookback_s)} AND event IN ({DEVICES.events})"
    noted = f"""
        SELECT window_start, account_id, kafka_partition AS source_partition, log, kafka_offset,
            toDateTime64(stored_at, 3, 'UTC') AS at, toDateTime64(0, 3, 'UTC') AS found, window_s
        FROM late FINAL WHERE stored_at {recent}
        UNION ALL
        SELECT window_start, account_id, kafka_partition, log, kafka_offset, found_at, found_at, 0
        FROM repetitions WHERE found_at {recent}
        UNION ALL
        {_requested_sql(lookback_s)}"""  # noqa: S608 - numbers and names of ours
    touched = f"FINAL WHERE window_start IN (SELECT window_start FROM ({noted}))"  # noqa: S608 - same
    current = " UNION ALL ".join(
        f"SELECT {keys}, version, repaired FROM {counted.table} {touched}"  # noqa: S608 - same
        for counted in TABLES
    )
    return f"""
        SELECT toUInt32(window_start) AS window, account_id, source_partition, greatest(last, top) AS version,
            log, settled, length
        FROM (SELECT {keys}, toUInt64(max(kafka_offset) + 1) AS last, max(at) < now() - {SETTLED_S} AS settled,
                     max(found) AS latest, max(window_s) AS length
              FROM ({noted}) GROUP BY {keys}) AS l
        LEFT JOIN (SELECT {keys}, max(version) AS top, maxIf(version, repaired = 0) AS stream_top
                   FROM ({current}) GROUP BY {keys}) AS c USING ({keys})
        LEFT JOIN (SELECT {keys}, max(version) AS done, max(found_to) AS seen, max(refused) AS refused
                   FROM window_repairs GROUP BY {keys}) AS r USING ({keys})
        WHERE last > done OR stream_top > if(refused, done, 0) OR latest > seen
        ORDER BY {keys} LIMIT {PAGE} OFFSET {int(skip)}"""  # noqa: S608 - same


def request_sql(start: int, end: int, window_s: int, stored: Stored) -> str:
    """Asks for the windows that begin in [start, end), epoch seconds, and may have events that are not stored.

    One that only events know has no version, and needs no request: any row of the stream outranks it.
    """
    doubted = f"{_above(start, end, stored)} WHERE version + {stored.in_flight} > stored"
    return f"""
        INSERT INTO recount_requests ({KEYS}, version, window_s)
        SELECT {KEYS}, version, {window_s} FROM {doubted}"""  # noqa: S608 - names and numbers of ours


def doubted_sql(start: int, end: int, step_s: int, stored: Stored) -> str:
    """Begins of the steps from `start` on in which `request_sql` may find something."""
    step = f"intDiv(toUInt32(window_start) - {start}, {step_s}) * {step_s} + {start}"
    each = " UNION ALL ".join(
        f"SELECT {step} AS begin, source_partition, log, version FROM {counted.table}"  # noqa: S608 - names and numbers
        f" WHERE {between('window_start', start, end)} AND version > 0"
        for counted in TABLES
    )
    return f"""
        SELECT DISTINCT begin FROM ({each}) AS w LEFT JOIN ({stored.sql()}) AS s USING (source_partition, log)
        WHERE version + {stored.in_flight} > stored"""  # noqa: S608 - same


def waiting_sql(start: int, end: int, stored: Stored) -> str:
    """How many of these are not counted again before their events are stored."""
    return f"SELECT count() FROM {_above(start, end, stored)} WHERE version > stored"  # noqa: S608 - same


def _above(start: int, end: int, stored: Stored) -> str:
    each = " UNION ALL ".join(
        f"SELECT {KEYS}, version FROM {counted.table} FINAL WHERE {between('window_start', start, end)}"  # noqa: S608 - same
        for counted in TABLES
    )
    newest = f"SELECT {KEYS}, max(version) AS version FROM ({each}) GROUP BY {KEYS} HAVING version > 0"  # noqa: S608 - same
    return f"({newest}) AS w LEFT JOIN ({stored.sql()}) AS s USING (source_partition, log)"


def _requested_sql(lookback_s: int) -> str:
    answers = f"""
        SELECT {KEYS}, max(found_to) AS seen FROM window_repairs
        WHERE window_start IN (SELECT window_start FROM recount_requests) GROUP BY {KEYS}"""  # noqa: S608 - names of ours
    # within one millisecond nobody knows which was first, so the request is taken for the later one
    found = "asked_at + toIntervalMillisecond(1)"
    return f"""
        SELECT {KEYS}, toInt64(version) - 1 AS kafka_offset, {found} AS at, {found} AS found, window_s
        FROM (SELECT * FROM recount_requests FINAL) AS q LEFT JOIN ({answers}) AS a USING ({KEYS})
        WHERE found > seen OR asked_at >= now() - {int(lookback_s)}"""  # noqa: S608 - same
