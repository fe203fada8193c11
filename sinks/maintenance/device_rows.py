"""The rows of one device, table by table: counted, masked for every reader, and removed from the disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.storage import changeable

#: Query parameter.
DEVICE = "{device:String}"
_IS_DEVICE = f"device_id = {DEVICE}"
_LATE_KEY = "account_id, event, identity"
#: Table -> the rows that are the device's, in the order in which they are removed: `late` holds identities only, so it
#: goes by those of the device's events, which go last.
TABLES = {
    "late": f"({_LATE_KEY}) IN (SELECT {_LATE_KEY} FROM events WHERE {_IS_DEVICE})",  # noqa: S608
    "quarantine": f"positionUTF8(raw, concat('\"', {DEVICE}, '\"')) > 0"
    f" OR JSONExtractString(raw, 'device_id') = {DEVICE}",
    # a group's alert names its members, so it goes whole
    "alerts": f"(subject_kind = 'device' AND (subject = {DEVICE}"
    f" OR has(JSONExtract(toString(evidence), 'members', 'Array(String)'), {DEVICE})))",
    "verdicts": f"(subject_kind = 'device' AND subject = {DEVICE})"
    f" OR arrayExists(a -> a.subject_kind = 'device' AND a.subject = {DEVICE}, allowed)",
    "session_records": _IS_DEVICE,
    "device_windows": _IS_DEVICE,
    "device_events": f"device = cityHash64({DEVICE})",
    "events": _IS_DEVICE,
}
_ROW_KEY = "account_id, event, created_at, identity"
_EVENT_COLUMNS = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'events'"
_CHUNK = 500
#: Masks rows in a small part where a table knows its rows' places, and in a column of their parts elsewhere.
REMOVED = {"lightweight_deletes_sync": 2, "lightweight_delete_mode": "lightweight_update", "mutations_sync": 2}


class DeviceRows:
    """What one client finds of one device."""

    def __init__(self, client: Client, device: str) -> None:
        self._client = client
        self._device = device

    def count(self, table: str) -> int:
        """Stored rows, duplicates included."""
        query = f"SELECT count() FROM {table} WHERE {TABLES[table]}"  # noqa: S608 - ours
        return int(self._client.query(query, parameters={"device": self._device}).result_rows[0][0])

    def remove(self, table: str) -> int:
        """Mask them; returns how many there were."""
        rows = self.count(table)
        if rows and table == "late":
            self._remove_late()
        elif rows:
            mask(self._client, table, TABLES[table], self._device)
        return rows

    def _remove_late(self) -> None:
        """By value: a replicated table takes no subquery in a deletion."""
        query = f"SELECT DISTINCT {_LATE_KEY} FROM late WHERE {TABLES['late']}"  # noqa: S608 - ours
        found = self._client.query(query, parameters={"device": self._device}).result_rows
        for first in range(0, len(found), _CHUNK):
            keys = ", ".join(f"({', '.join(map(literal, row))})" for row in found[first : first + _CHUNK])
            mask(self._client, "late", f"({_LATE_KEY}) IN ({keys})", self._device)


def mask(client: Client, table: str, condition: str, device: str) -> None:
    """Hide rows from every reader."""
    # a deletion knows no query parameters
    where = changeable(client, table)
    client.command(f"DELETE FROM {where} WHERE {condition.replace(DEVICE, literal(device))}", settings=REMOVED)  # noqa: S608 - quoted


def cover_losers(client: Client, device: str) -> None:
    """Rows of others that repeat its events and wait for a merge: without it they would be the events."""
    names = [row[0] for row in client.query(_EVENT_COLUMNS).result_rows]
    changed = {"repeated": "true AS repeated", "version": "e.version + 1 AS version"}
    selected = ", ".join(changed.get(name, f"e.{name} AS {name}") for name in names)
    client.command(
        f"INSERT INTO events ({', '.join(names)}) SELECT {selected} FROM events AS e"  # noqa: S608 - names of ours
        f" INNER JOIN (SELECT {_ROW_KEY}, max(version) AS first FROM events WHERE {_IS_DEVICE} AND NOT repeated"
        f" GROUP BY {_ROW_KEY}) AS w USING ({_ROW_KEY})"
        f" WHERE NOT e.repeated AND e.device_id != {DEVICE} AND e.version < w.first",
        parameters={"device": device},
        settings={
            "insert_deduplicate": 0,
            "insert_allow_materialized_columns": 1,
            "max_partitions_per_insert_block": 0,
        },
    )


def purge(client: Client, tables: Sequence[str]) -> None:
    """Write the parts that hold masked rows again without them."""
    for table in tables:
        where = changeable(client, table)
        for statement in ("APPLY PATCHES", "APPLY DELETED MASK"):
            client.command(f"ALTER TABLE {where} {statement}", settings={"mutations_sync": 2})


def literal(text: Any) -> str:
    """A string as SQL."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"
