"""Removes what ClickHouse knows of one device, and says what Kafka still knows and until when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks.maintenance import Progress
from sinks.maintenance.backfill import countable_from
from sinks.upkeep.recount import CTR, DEVICES, Counted, Target, repair_sql
from sori.errors import ConfigError
from sori.settings import Settings
from sori.topics import DEVICE_WINDOWS, EVENTS, FRAUD_ALERTS, QUARANTINE, SESSION_RECORDS

_DEVICE = "{device:String}"
_IS_DEVICE = f"device_id = {_DEVICE}"
#: Table -> the rows that are the device's. `late` holds identities only, so it goes by those of the device's events.
_ROWS = {
    "late": f"(account_id, event, identity) IN (SELECT account_id, event, identity FROM events WHERE {_IS_DEVICE})",  # noqa: S608
    "quarantine": f"positionUTF8(raw, concat('\"', {_DEVICE}, '\"')) > 0",
    # a group's alert names its members, so it goes whole
    "alerts": f"(subject_kind = 'device' AND (subject = {_DEVICE}"
    f" OR has(JSONExtract(toString(evidence), 'members', 'Array(String)'), {_DEVICE})))",
    "session_records": _IS_DEVICE,
    "device_windows": _IS_DEVICE,
    "events": _IS_DEVICE,
}
_IN_KAFKA = (EVENTS, DEVICE_WINDOWS, FRAUD_ALERTS, QUARANTINE, SESSION_RECORDS)
_CHUNK = 500


def forget(client: Client, settings: Settings, params: Mapping[str, Any]) -> Iterator[Progress]:
    """Parameters: device. Windows and roll-ups are recounted without its events; aggregates name no device.

    Windows whose other raw events have aged out keep their counts (`windows_kept` in the result).

    Other devices' alerts whose evidence mentions the device's events keep the event ids, which lead nowhere any more.
    """
    device = str(params.get("device", ""))
    if not device:
        raise ConfigError("forget: name a device")
    found = _windows(client, device, settings.streams.window_s)
    touched = [t for t in found if t.window_start >= countable_from(client, settings.streams.window_s)]
    removed: dict[str, int] = {}
    for number, (table, condition) in enumerate(_ROWS.items()):
        yield {"done": number, "total": len(_ROWS) + 1, "note": f"removing from {table}"}
        removed[table] = _remove(client, table, condition, device)
    for counted in (CTR, DEVICES):
        _recount(client, counted, touched, settings.streams.window_s)
    windows = {"windows_recounted": len(touched), "windows_kept": len(found) - len(touched)}
    yield {"result": {"removed": removed, **windows, "in_kafka": _in_kafka(settings)}}


def _remove(client: Client, table: str, condition: str, device: str) -> int:
    given = {"device": device}
    count = int(client.query(f"SELECT count() FROM {table} WHERE {condition}", parameters=given).result_rows[0][0])  # noqa: S608 - ours
    if count:
        # a mutation knows no query parameters
        literal = "'" + device.replace("\\", "\\\\").replace("'", "\\'") + "'"
        statement = f"ALTER TABLE {table} DELETE WHERE {condition.replace(_DEVICE, literal)}"
        client.command(statement, settings={"mutations_sync": 1})
    return count


def _windows(client: Client, device: str, window_s: int) -> list[Target]:
    start = f"intDiv(toUInt32(toDateTime(created_at, 'UTC')), {window_s}) * {window_s}"
    query = (
        f"SELECT DISTINCT {start} AS window, account_id, kafka_partition, log FROM events "  # noqa: S608 - a number
        f"WHERE device_id = {_DEVICE} ORDER BY window"
    )
    found = client.query(query, parameters={"device": device}).result_rows
    chunks = [found[n : n + _CHUNK] for n in range(0, len(found), _CHUNK)]
    return [target for chunk in chunks for target in _targets(client, chunk)]


def _targets(client: Client, found: Sequence[Sequence[Any]]) -> list[Target]:
    """With the version of the newest row of each, so that the recount replaces it and nothing newer."""
    windows = ", ".join(f"toDateTime({row[0]}, 'UTC')" for row in found)
    keys = "window_start, account_id, source_partition, log"
    union = " UNION ALL ".join(
        f"SELECT {keys}, version FROM {c.table} WHERE window_start IN ({windows})"  # noqa: S608 - numbers
        for c in (CTR, DEVICES)
    )
    query = f"SELECT toUnixTimestamp(window_start), account_id, source_partition, log, max(version) FROM ({union}) GROUP BY {keys}"  # noqa: E501, S608 - same
    newest = {tuple(row[:4]): row[4] for row in client.query(query).result_rows}
    return [Target(w, account, p, newest.get((w, account, p, log), 0), log) for w, account, p, log in found]


def _recount(client: Client, counted: Counted, targets: list[Target], window_s: int) -> None:
    for first in range(0, len(targets), _CHUNK):
        client.command(repair_sql(counted, targets[first : first + _CHUNK], window_s))


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
