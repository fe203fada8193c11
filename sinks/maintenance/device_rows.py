"""The rows of one device, table by table: counted, masked for every reader, and removed from the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from runtime.clickhouse.storage import changeable

#: Query parameter.
DEVICE = "{device:String}"
_IS_DEVICE = f"device_id = {DEVICE}"
_PLACE = "account_id, event, created_at"
#: A device's events: wherever they lie, by a filter over all of them, and where it is noted that they lie.
ANYWHERE = _IS_DEVICE
_NOTES = f"SELECT {_PLACE} FROM device_events WHERE device = cityHash64({DEVICE})"  # noqa: S608 - ours
NOTED = f"{_IS_DEVICE} AND ({_PLACE}) IN ({_NOTES})"
_LATE_KEY = "account_id, event, identity"
#: Table -> the rows that are the device's, in the order in which they are removed: `late` holds identities only, so it
#: goes by those of the device's events, and these by the notes of where they lie, which go last.
TABLES = {
    "late": f"({_LATE_KEY}) IN (SELECT {_LATE_KEY} FROM events WHERE {ANYWHERE})",  # noqa: S608
    "quarantine": f"positionUTF8(raw, concat('\"', {DEVICE}, '\"')) > 0"
    f" OR JSONExtractString(raw, 'device_id') = {DEVICE}",
    # a group's alert names its members, so it goes whole
    "alerts": f"(subject_kind = 'device' AND (subject = {DEVICE}"
    f" OR has(JSONExtract(toString(evidence), 'members', 'Array(String)'), {DEVICE})))",
    "verdicts": f"(subject_kind = 'device' AND subject = {DEVICE})"
    f" OR arrayExists(a -> a.subject_kind = 'device' AND a.subject = {DEVICE}, allowed)",
    "incidents": f"has(devices, {DEVICE}) OR has(subjects, concat('device ', {DEVICE}))",
    "session_records": _IS_DEVICE,
    "device_windows": _IS_DEVICE,
    "device_clicks": _IS_DEVICE,
    "device_minutes": _IS_DEVICE,
    "events": ANYWHERE,
    "device_events": f"device = cityHash64({DEVICE})",
}
_ROW_KEY = "account_id, event, created_at, identity"
_EVENT_COLUMNS = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'events'"
_CHUNK = 500
_WINDOW = ("account_id, window_start", "account_id, toUnixTimestamp(window_start)", "toDateTime({}, 'UTC')")
#: Table -> key columns that its rows lie by; the same with times as numbers; what makes times of these.
_PLACES = {
    "device_windows": _WINDOW,
    "device_clicks": _WINDOW,
    "events": (
        _PLACE,
        "account_id, event, toUnixTimestamp64Milli(created_at)",
        "fromUnixTimestamp64Milli({}, 'UTC')",
    ),
}
#: Beyond, one look at every row is cheaper than many small deletions.
_MOST_BY_PLACE = 5000
#: Masks rows in a small part where a table knows its rows' places, and in a column of their parts elsewhere.
REMOVED = {"lightweight_deletes_sync": 2, "lightweight_delete_mode": "lightweight_update", "mutations_sync": 2}
#: Writes the mask into the parts themselves, in the background.
_SETTLED = {"lightweight_deletes_sync": 0, "lightweight_delete_mode": "alter_update"}


class Event(NamedTuple):
    """Where a device's event lies, in milliseconds, and so many rows of it."""

    account_id: str
    event: str
    created_ms: int
    identity: str
    partition: int
    log: int
    rows: int


@dataclass(frozen=True, slots=True)
class Near:
    """What lies where it is noted that a device's events lie: its events, and whether others wait there to be them."""

    own: tuple[Event, ...]
    others: bool


def near(client: Client, device: str) -> Near | None:
    """One look for all that is asked of a device's noted events; None: they are too many to be named."""
    columns = "account_id, event, toUnixTimestamp64Milli(created_at), identity, kafka_partition, log"
    found = client.query(
        f"SELECT {columns}, count(), device_id = {DEVICE} AS own FROM events"  # noqa: S608 - names of ours
        f" WHERE ({_PLACE}) IN ({_NOTES}) AND (own OR NOT repeated) GROUP BY {columns}, own LIMIT {_CHUNK + 1}",
        parameters={"device": device},
    ).result_rows
    if len(found) > _CHUNK:
        return None
    return Near(tuple(Event(*row[:-1]) for row in found if row[-1]), any(not row[-1] for row in found))


class DeviceRows:
    """What one client finds of one device; `events` says among which of its events: NOTED, or ANYWHERE.

    `known`: what is known of the noted ones already.
    """

    def __init__(self, client: Client, device: str, events: str = ANYWHERE, known: Near | None = None) -> None:
        self._client = client
        self._given = {"device": device}
        self._events = events
        self._known = known

    def count(self, table: str) -> int:
        """Stored rows, duplicates included."""
        return int(self._rows(f"SELECT count() FROM {table} WHERE {self._condition(table)}")[0][0])  # noqa: S608 - ours

    def remove(self, table: str) -> int:
        """Mask them; returns how many there were."""
        if self._known is not None and table in {"late", "events"}:
            return self._remove_known(table, self._known.own)
        if table in _PLACES and (table != "events" or self._events == NOTED):
            key, numbers, when = _PLACES[table]
            found = self._rows(
                f"SELECT {numbers}, count() FROM {table} WHERE {self._condition(table)}"  # noqa: S608 - ours
                f" GROUP BY {numbers} LIMIT {_MOST_BY_PLACE + 1}"
            )
            if len(found) <= _MOST_BY_PLACE:
                places = [row[:-1] for row in found]
                self._mask_keys(table, key, places, when, f" AND {self._of_device(_IS_DEVICE)}")
                return sum(row[-1] for row in found)
        rows = self.count(table)
        if rows and table == "late":
            keys = self._rows(f"SELECT DISTINCT {_LATE_KEY} FROM late WHERE {self._condition('late')}")  # noqa: S608
            self._mask_keys("late", _LATE_KEY, keys)
        elif rows:
            mask(self._client, table, self._of_device(TABLES[table]))
        return rows

    def _remove_known(self, table: str, own: Sequence[Event]) -> int:
        if table == "events":
            key, _, when = _PLACES[table]
            places = sorted({(e.account_id, e.event, e.created_ms) for e in own})
            self._mask_keys(table, key, places, when, f" AND {self._of_device(_IS_DEVICE)}")
            return sum(e.rows for e in own)
        keys = sorted({(e.account_id, e.event, e.identity) for e in own})
        if not keys:
            return 0
        listed = ", ".join(f"({', '.join(map(literal, key))})" for key in keys)
        rows = int(self._rows(f"SELECT count() FROM late WHERE ({_LATE_KEY}) IN ({listed})")[0][0])  # noqa: S608 - quoted
        if rows:
            self._mask_keys("late", _LATE_KEY, keys)
        return rows

    def _condition(self, table: str) -> str:
        return TABLES[table].replace(ANYWHERE, self._events) if table in {"late", "events"} else TABLES[table]

    def _of_device(self, condition: str) -> str:
        # a deletion knows no query parameters
        return condition.replace(DEVICE, literal(self._given["device"]))

    def _mask_keys(
        self, table: str, key: str, found: Sequence[Sequence[Any]], when: str = "{}", more: str = ""
    ) -> None:
        """A replicated table takes no subquery in a deletion, and values find their rows by the table's order.

        `when` makes a time of a number.
        """
        for first in range(0, len(found), _CHUNK):
            rows = found[first : first + _CHUNK]
            keys = [", ".join(when.format(v) if isinstance(v, int) else literal(v) for v in row) for row in rows]
            mask(self._client, table, f"({key}) IN (({'), ('.join(keys)})){more}")

    def _rows(self, sql: str) -> Sequence[Sequence[Any]]:
        return self._client.query(sql, parameters=self._given).result_rows


def mask(client: Client, table: str, condition: str) -> None:
    """Hide rows from every reader."""
    client.command(f"DELETE FROM {changeable(client, table)} WHERE {condition}", settings=REMOVED)  # noqa: S608 - quoted


def settle(client: Client, device: str) -> None:
    """Have what is counted beside the events made anew without its events, which are masked, in the background.

    While rows are masked in a small part, a projection is not used, and any other mutation that meets that part makes
    one of nothing (ClickHouse 26.9). By the device's id alone: the mutation compares it in every row of a part.
    """
    condition = f"device_id = {literal(device)}"
    client.command(f"DELETE FROM {changeable(client, 'events')} WHERE {condition}", settings=_SETTLED)  # noqa: S608 - quoted


def cover_losers(client: Client, device: str, events: str) -> None:
    """Rows of others that repeat its events and wait for a merge: without it they would be the events.

    `events`: NOTED or ANYWHERE, as for DeviceRows. Rows that repeat an event lie where it lies. Where none does, do not
    ask: an insert that finds nothing costs ten times as much as a look, for all that hangs on the table.
    """
    close = f" AND ({_PLACE}) IN ({_NOTES})" if events == NOTED else ""
    names = [row[0] for row in client.query(_EVENT_COLUMNS).result_rows]
    changed = {"repeated": "true AS repeated", "version": "e.version + 1 AS version"}
    selected = ", ".join(changed.get(name, f"e.{name} AS {name}") for name in names)
    client.command(
        f"INSERT INTO events ({', '.join(names)}) SELECT {selected} FROM events AS e"  # noqa: S608 - names of ours
        f" INNER JOIN (SELECT {_ROW_KEY}, max(version) AS first FROM events WHERE {events} AND NOT repeated"
        f" GROUP BY {_ROW_KEY}) AS w USING ({_ROW_KEY})"
        f" WHERE NOT e.repeated AND e.device_id != {DEVICE} AND e.version < w.first{close}",
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
