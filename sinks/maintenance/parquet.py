"""Raw events to Parquet files and back: to move, to restore, to parse again with a newer schema.

What is exported is what was received (body, headers, place in Kafka, time of receipt), one file per hour of receipt.
Importing parses it again; what is there already is recognised by identity, so importing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.kept import iso
from sinks.builders.events import COLUMNS
from sinks.insert.writer import SETTINGS, Writer
from sinks.maintenance import Progress
from sinks.maintenance.backfill import countable_from, read_stored, recount_range
from sinks.upkeep.repetitions import Repetitions
from sori.errors import ConfigError
from sori.settings import Settings

_HOUR_S = 3600
_SELECTED = """
    raw, toUnixTimestamp64Milli(received_at) AS received_ms, kafka_partition, kafka_offset,
    toString(account_id) AS header_account, toString(event) AS header_event, toString(endpoint) AS header_endpoint,
    toUInt8(verified) AS header_verified, toString(key_id) AS header_key_id, identity AS header_identity,
    canonical, arrayStringConcat(defects, ',') AS defects, log
"""
_WITHIN = "received_at >= toDateTime64({start:Int64}, 3, 'UTC') AND received_at < toDateTime64({end:Int64}, 3, 'UTC')"
#: By the time of the event, which the table is sorted by: around the hour of receipt, and wherever else a clock or a
#: delay put one of its events. Only key columns: FINAL sees every row of a key, and stays right.
_NEAR = "created_at BETWEEN toDateTime64({start:Int64} - 300, 3, 'UTC') AND toDateTime64({end:Int64} + 300, 3, 'UTC')"
_ELSEWHERE = f"SELECT created_at FROM events WHERE {_WITHIN} AND NOT ({_NEAR})"  # noqa: S608 - ours
_OURS = f"NOT repeated AND {_WITHIN} AND ({_NEAR} OR created_at IN ({_ELSEWHERE}))"
#: An hour of any size in the same memory: rows are sorted on disk, and written in small groups.
_BOUNDED = {
    "max_bytes_before_external_sort": 100_000_000,
    "max_bytes_ratio_before_external_sort": 0,
    "output_format_parquet_row_group_size": 20_000,
    "output_format_parquet_row_group_size_bytes": 20_000_000,
    "output_format_parquet_parallel_encoding": 0,
    "max_block_size": 8192,
    "max_threads": 2,
    "prefer_external_sort_block_bytes": 8_000_000,
}


def export_events(client: Client, _settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: folder, start, end (epoch seconds, time of receipt). Files are named by hour and replaced whole."""
    folder, start, end = Path(params["folder"]), int(params["start"]), int(params["end"])
    folder.mkdir(parents=True, exist_ok=True)
    hours = [row[0] for row in client.query(_hours_sql(), parameters={"start": start, "end": end}).result_rows]
    rows = 0
    for number, hour in enumerate(hours, 1):
        bounds = {"start": max(start, hour), "end": min(end, hour + _HOUR_S)}
        query = f"SELECT {_SELECTED} FROM events FINAL WHERE {_OURS} ORDER BY kafka_partition, kafka_offset"  # noqa: S608 - ours
        target = folder / f"events-{datetime.fromtimestamp(hour, UTC):%Y%m%dT%H}.parquet"
        partial = target.with_suffix(".partial")
        with (
            client.raw_stream(query, parameters=bounds, settings=_BOUNDED, fmt="Parquet") as stream,
            partial.open("wb") as file,
        ):
            while chunk := stream.read(1024 * 1024):
                file.write(chunk)
        partial.replace(target)
        rows += _count(client, bounds)
        yield {"done": number, "total": len(hours), "note": target.name}
    yield {"result": {"files": len(hours), "events": rows}}


def import_events(client: Client, settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: folder. Reads every file of an export, then recounts the windows of what it brought.

    Windows whose raw events are no longer complete stay as they are; `windows_kept_before` in the result says which.
    Those that the sinks have not all events of yet are counted when they have (`windows_waiting`).
    """
    files = sorted(Path(params["folder"]).glob("events-*.parquet"))
    if not files:
        raise ConfigError(f"import: no events-*.parquet in {params['folder']}")
    stored = read_stored(client, settings)  # what is brought says nothing of how far the sinks have come
    for number, path in enumerate(files, 1):
        with path.open("rb") as file:
            client.raw_insert(
                "events_in",
                column_names=list(COLUMNS),
                insert_block=file,
                settings={**SETTINGS, "insert_deduplicate": 0},
                fmt="Parquet",
            )
        yield {"done": number, "total": len(files), "note": path.name}
    # a repetition of another log is found before windows are counted: later it would be in them for a while
    Repetitions(Writer(lambda: client), settings.streams.window_s).find()
    result: dict[str, Any] = {"files": len(files)}
    first_whole = countable_from(client, settings.streams.window_s)
    for first, end in _created_spans(client, files):
        start = max(first, first_whole)
        if start > first:
            result["windows_kept_before"] = iso(start)
        for progress in recount_range(client, settings, (start, end), stored) if start < end else ():
            if "result" not in progress:
                yield progress
                continue
            for name, windows in progress["result"].items():
                result[name] = result.get(name, 0) + windows
    yield {"result": result}


def _hours_sql() -> str:
    hour = f"intDiv(toUInt32(toDateTime(received_at, 'UTC')), {_HOUR_S}) * {_HOUR_S}"
    return f"SELECT DISTINCT {hour} AS hour FROM events WHERE {_WITHIN} ORDER BY hour"  # noqa: S608 - a number


def _count(client: Client, bounds: Mapping[str, int]) -> int:
    query = f"SELECT count() FROM events FINAL WHERE {_OURS}"  # noqa: S608 - ours
    return int(client.query(query, parameters=dict(bounds)).result_rows[0][0])


def _created_spans(client: Client, files: list[Path]) -> list[tuple[int, int]]:
    """Stretches of hours, ends excluded, in which events of the files happened, by the hours of receipt in their names.

    One odd clock has no year between counted again.
    """
    hours = [datetime.strptime(path.stem[-11:], "%Y%m%dT%H").replace(tzinfo=UTC).timestamp() for path in files]
    hour = f"intDiv(toUInt32(toDateTime(created_at, 'UTC')), {_HOUR_S}) * {_HOUR_S}"
    query = f"SELECT DISTINCT {hour} AS hour FROM events WHERE {_WITHIN} AND defect = '' ORDER BY hour"  # noqa: S608 - ours
    bounds = {"start": int(min(hours)), "end": int(max(hours)) + _HOUR_S}
    spans: list[tuple[int, int]] = []
    for (start,) in client.query(query, parameters=bounds).result_rows:
        near = bool(spans) and spans[-1][1] == start
        spans.append((spans.pop()[0] if near else int(start), int(start) + _HOUR_S))
    return spans
