"""Removes what ClickHouse knows of one device, and says what Kafka still knows and until when.

In steps, each of which may be broken off and done again: note the device and the windows that it was counted in, mask
its rows table by table, recount the windows without it, remove the note. What stands in the note is not finished yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.storage import changeable
from sinks.maintenance import Progress
from sinks.maintenance.backfill import countable_from, read_stored
from sinks.maintenance.device_rows import (
    ANYWHERE,
    DEVICE,
    NOTED,
    TABLES,
    DeviceRows,
    Near,
    cover_losers,
    literal,
    near,
    purge,
    settle,
)
from sinks.upkeep.recount import CTR, DEVICES, Target, repair_sql, window_sql
from sinks.upkeep.stored import Stored
from sori.errors import ConfigError
from sori.settings import Settings
from sori.topics import DEVICE_WINDOWS, EVENTS, FRAUD_ALERTS, INCIDENTS, QUARANTINE, SESSION_RECORDS

_IN_KAFKA = (EVENTS, DEVICE_WINDOWS, FRAUD_ALERTS, INCIDENTS, QUARANTINE, SESSION_RECORDS)
_CHUNK = 500
#: Clocks differ, and event time may be behind them for a while.
_MARGIN = timedelta(minutes=1)
#: What may become of a window that the device was counted in.
_DONE = ("windows_recounted", "windows_kept", "windows_waiting")
_KEYS = "window_start, account_id, source_partition, log"


def forget(client: Client, settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: device, or resume for all whose run was interrupted; dry_run, which only counts; purge.

    Windows and roll-ups are recounted without its events; aggregates name no device. Windows whose other raw events
    have aged out keep their counts (`windows_kept` in the result), those with events on their way wait for them
    (`windows_waiting`). Rows are gone for every reader at once, and from the disk with the next merge, or before this
    returns with `purge`. Safe to repeat and to break; whoever repeats it, also with `resume`, finishes it. Other
    devices' alerts whose evidence mentions its events keep the event ids.
    """
    device = str(params.get("device", ""))
    if bool(device) == bool(params.get("resume")):
        raise ConfigError("forget: name a device, or resume what was interrupted")
    result: dict[str, Any] = {"removed": dict.fromkeys(TABLES, 0), **dict.fromkeys(_DONE, 0)}
    for each in [device] if device else interrupted(client):
        steps = _count(client, settings, each) if params.get("dry_run") else _forget(client, settings, each)
        for step in steps:
            if "result" not in step:
                yield step
                continue
            found = step["result"]
            result["removed"] = {table: n + found["removed"][table] for table, n in result["removed"].items()}
            for name in _DONE:
                result[name] += found[name]
    if params.get("purge") and not params.get("dry_run"):
        yield {"done": 0, "total": 1, "note": "removing from the disk"}
        purge(client, [table for table, rows in result["removed"].items() if rows])
    yield {"result": {**result, "interrupted": len(interrupted(client)), "in_kafka": _in_kafka(settings)}}


def interrupted(client: Client) -> list[str]:
    """Devices that are being forgotten, or whose run broke off."""
    found = client.query("SELECT device_id FROM forget_requests FINAL ORDER BY asked_at, device_id").result_rows
    return [row[0] for row in found]


def _count(client: Client, settings: Settings, device: str) -> Iterator[Progress]:
    rows = DeviceRows(client, device)
    removed = {}
    for number, table in enumerate(TABLES):
        yield {"done": number, "total": len(TABLES), "note": f"counting in {table}"}
        removed[table] = rows.count(table)
    first = countable_from(client, settings.streams.window_s)
    query = (
        f"SELECT count(), countIf(window_start >= toDateTime({first}, 'UTC')) FROM ({_touched_sql(settings, ANYWHERE)})"  # noqa: S608 - a number
    )
    windows, countable = client.query(query, parameters={"device": device}).result_rows[0]
    done = {"windows_recounted": countable, "windows_kept": windows - countable, "windows_waiting": 0}
    yield {"result": {"removed": removed, **done}}


def _forget(client: Client, settings: Settings, device: str) -> Iterator[Progress]:
    given, stored = {"device": device}, read_stored(client, settings)
    client.command(f"INSERT INTO forget_requests (device_id) SELECT {DEVICE}", parameters=given)
    removed, done = dict.fromkeys(TABLES, 0), dict.fromkeys(_DONE, 0)
    # notes of where its events lie spare a look at all of them, but nobody's word is taken for it that none is left
    for events in (NOTED, ANYWHERE):
        yield from _remove(client, settings, device, events, removed)
        if not DeviceRows(client, device).count("events"):
            break
    todo = "SELECT count() FROM forget_windows FINAL WHERE recounted = 0 AND device_id = {device:String}"
    windows = int(client.query(todo, parameters=given).result_rows[0][0])
    first = countable_from(client, settings.streams.window_s)
    while targets := _left(client, device):
        yield {"done": sum(done.values()), "total": windows, "note": "recounting windows"}
        countable = [t for t in targets if t.window_start >= first]
        recounted = _recount(client, settings.streams.window_s, countable, stored)
        _ask_while_alive(client, settings, countable)
        _note_recounted(client, device, targets)
        done["windows_recounted"] += recounted
        done["windows_waiting"] += len(countable) - recounted
        done["windows_kept"] += len(targets) - len(countable)
        if len(targets) < _CHUNK:
            break
    for table in ("forget_windows", "forget_requests"):
        client.command(
            f"ALTER TABLE {changeable(client, table)} DELETE WHERE device_id = {literal(device)}",
            settings={"mutations_sync": 2},
        )
    settle(client, device)  # last: an embedded engine would have all of the above wait for it
    yield {"result": {"removed": removed, **done}}


def _remove(
    client: Client, settings: Settings, device: str, events: str, removed: dict[str, int]
) -> Iterator[Progress]:
    """Note the windows of these events, then mask its rows in every table; adds to `removed`."""
    known = near(client, device) if events == NOTED else None
    if known is None:
        touched = _touched_sql(settings, events)
        client.command(
            f"INSERT INTO forget_windows (device_id, {_KEYS}) SELECT {DEVICE}, {_KEYS} FROM ({touched})",  # noqa: S608 - names of ours
            parameters={"device": device},
        )
    elif windows := _touched(known, settings.streams.window_s):
        rows = [(device, *window) for window in windows]
        client.insert("forget_windows", rows, column_names=["device_id", *_KEYS.split(", ")])
    if known is None or known.others:
        cover_losers(client, device, events)
    masked = DeviceRows(client, device, events, known)
    for number, table in enumerate(TABLES):
        yield {"done": number, "total": len(TABLES), "note": f"removing from {table}"}
        removed[table] += masked.remove(table)


def _touched(known: Near, window_s: int) -> list[tuple[int, str, int, int]]:
    """The windows that these events were counted in."""
    windows = {
        (e.created_ms // 1000 // window_s * window_s, e.account_id, e.partition, e.log)
        for e in known.own
        if e.event in CTR.counts.values()
    }
    return sorted(windows)


def _touched_sql(settings: Settings, events: str) -> str:
    """The windows that a device was counted in, as its raw events say: NOTED or ANYWHERE."""
    window = window_sql(settings.streams.window_s)
    return (
        f"SELECT DISTINCT {window} AS window_start, account_id, kafka_partition AS source_partition, log"  # noqa: S608 - a number
        f" FROM events WHERE {events} AND event IN ({CTR.events})"
    )


def _left(client: Client, device: str) -> list[Target]:
    """The next windows to recount, with the version of the newest row: the recount replaces that and nothing newer."""
    left = (
        f"SELECT {_KEYS} FROM forget_windows FINAL"  # noqa: S608 - names of ours
        f" WHERE recounted = 0 AND device_id = {DEVICE} ORDER BY {_KEYS} LIMIT {_CHUNK}"
    )
    versions = " UNION ALL ".join(
        f"SELECT {_KEYS}, version FROM {counted.table} WHERE window_start IN (SELECT window_start FROM l)"  # noqa: S608 - same
        for counted in (CTR, DEVICES)
    )
    query = f"""
        WITH l AS ({left})
        SELECT toUnixTimestamp(window_start), toString(account_id), source_partition, newest, log
        FROM l
        LEFT JOIN (SELECT {_KEYS}, max(version) AS newest FROM ({versions}) GROUP BY {_KEYS}) AS v USING ({_KEYS})
        ORDER BY {_KEYS}"""  # noqa: S608 - same
    return [Target(*row) for row in client.query(query, parameters={"device": device}).result_rows]


def _recount(client: Client, window_s: int, targets: list[Target], stored: Stored) -> int:
    """Only what campaigns were counted by: the device's own windows are gone, and no other's are touched.

    Windows with events that are not stored yet are asked for: the repair counts them when they are.
    """
    whole = [t for t in targets if stored.holds(t.source_partition, t.log, t.version)]
    if whole:
        client.command(repair_sql(CTR, whole, window_s))
    doubted = [t for t in targets if stored.doubts(t.source_partition, t.log, t.version)]
    rows = [[t.window_start, t.account_id, t.source_partition, t.log, t.version, window_s] for t in doubted]
    if rows:
        client.insert("recount_requests", rows, column_names=[*_KEYS.split(", "), "version", "window_s"])
    return len(whole)


def _ask_while_alive(client: Client, settings: Settings, targets: list[Target]) -> None:
    """Windows that the streams hold are asked for until they are gone there: only the streams know what was forgotten.

    What of it is delivered again they drop as a repetition, while it is stored as an event. Later it is late, and asks
    for itself.
    """
    streams, now = settings.streams, datetime.now(UTC)
    kept = timedelta(seconds=streams.window_s + streams.lateness_s) + _MARGIN
    ends = [datetime.fromtimestamp(t.window_start, UTC) + kept for t in targets]
    rows = [
        [end, t.window_start, t.account_id, t.source_partition, t.log, t.version, streams.window_s]
        for t, end in zip(targets, ends, strict=True)
        if end > now
    ]
    if rows:
        names = ["asked_at", *_KEYS.split(", "), "version", "window_s"]
        client.insert("recount_requests", rows, column_names=names)


def _note_recounted(client: Client, device: str, targets: list[Target]) -> None:
    rows = [[device, t.window_start, t.account_id, t.source_partition, t.log, 1] for t in targets]
    names = ["device_id", "window_start", "account_id", "source_partition", "log", "recounted"]
    client.insert("forget_windows", rows, column_names=names)


def _in_kafka(settings: Settings) -> list[dict[str, str]]:
    """Topics that may still hold the device, and until when at the latest."""
    now = datetime.now(UTC)
    return [
        {
            "topic": topic.name(settings.kafka.topic_prefix),
            "until": (now + timedelta(milliseconds=topic.retention_ms)).isoformat(timespec="minutes"),
        }
        for topic in _IN_KAFKA
    ]
