"""How long ClickHouse keeps rows: table TTLs that follow the settings.

A TTL that somebody wrote by hand is left alone, whatever the settings say: what we applied is written down, and what is
anything else is not ours. Removed by hand, it is ours again.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from clickhouse_connect.driver.client import Client

from runtime.clickhouse.storage import changeable, definition
from runtime.clickhouse.table_ttl import Keeping, clause, kept_days, our_days, ttl_of
from sori.settings.clickhouse import ClickHouseSettings

#: Table -> setting that governs it and the time from which its rows age. A late event may have been received long ago.
_GOVERNED = {
    "events": ("events_days", "toDateTime(received_at)"),
    "identities": ("events_days", "toDateTime(received_at)"),
    "device_events": ("events_days", "toDateTime(received_at)"),
    "ctr_windows": ("windows_days", "window_start"),
    "device_windows": ("windows_days", "window_start"),
    "device_clicks": ("windows_days", "window_start"),
    "device_minutes": ("windows_days", "window_start"),
    "window_repairs": ("windows_days", "window_start"),
    "campaign_rollups": ("rollups_days", "time"),
    "place_rollups": ("rollups_days", "time"),
    "placed_rollups": ("rollups_days", "time"),
    "country_rollups": ("rollups_days", "time"),
    "detail_rollups": ("rollups_days", "time"),
    "alerts": ("alerts_days", "toDateTime(updated_at)"),
    "incidents": ("alerts_days", "toDateTime(updated_at)"),
    "incident_of_alert": ("alerts_days", "toDateTime(updated_at)"),
    "delivery_attempts": ("attempts_days", "toDateTime(attempted_at)"),
    "session_records": ("sessions_days", "toDateTime(at)"),
    "late": ("late_days", "stored_at"),
    "repetitions": ("late_days", "toDateTime(found_at)"),
    "recount_requests": ("late_days", "toDateTime(asked_at)"),
    "field_notes": ("late_days", "toDateTime(last_seen)"),
    "quarantine": ("quarantine_days", "toDateTime(received_at)"),
}
#: Not cut by time: single rows age out of the one part that there is.
_ONE_PART = frozenset({"alerts", "incidents", "incident_of_alert", "field_notes"})
_log = structlog.get_logger(__name__)


#: What is large and seldom asked for once it is old; look-ups and roll-ups stay on the fast volume.
_COLD = frozenset({"events", "ctr_windows", "device_windows"})


@dataclass(frozen=True, slots=True)
class Change:
    """A table whose TTL changed; days until its first rows go, 0 = kept for ever; and the new TTL."""

    table: str
    before: int
    after: int
    ttl: str


def apply(client: Client, settings: ClickHouseSettings) -> list[Change]:
    """Bring every TTL in line with the settings; rows age out, or move, with later merges. Returns what changed."""
    changes = []
    ours = _applied(client)
    for table, (_, column) in _GOVERNED.items():
        wanted, current = clause(column, _wanted(table, settings)), _ttl(client, table)
        if not _is_ours(current, column, ours.get(table)):
            _log.info("retention_left_alone", table=table, ttl=current)
            continue
        # before the change, and both: wherever this breaks off, what is there is ours
        if notes := {current, wanted} - ours.get(table, set()):
            client.insert("applied_ttls", [[table, ttl] for ttl in sorted(notes)], column_names=["table", "ttl"])
        if wanted != current:
            changes.append(_change(client, table, current, wanted, settings.storage_policy))
    return changes


def _change(client: Client, table: str, current: str, wanted: str, policy: str) -> Change:
    before, after = int(kept_days(current)), int(kept_days(wanted))
    if before and (not after or after > before):
        client.command(f"INSERT INTO kept_since SELECT '{table}', now() - toIntervalDay({before})")
    where = changeable(client, table)
    if wanted:
        client.command(f"ALTER TABLE {where} MODIFY SETTING ttl_only_drop_parts = {int(table not in _ONE_PART)}")
        if policy and " TO VOLUME " in wanted:
            client.command(f"ALTER TABLE {where} MODIFY SETTING storage_policy = '{policy}'")
        client.command(f"ALTER TABLE {where} MODIFY TTL {wanted}", settings={"materialize_ttl_after_modify": 0})
    else:
        client.command(f"ALTER TABLE {where} REMOVE TTL")
    _log.info("retention_changed", table=table, days_before=before, days=after, ttl=wanted)
    return Change(table, before, after, wanted)


def _wanted(table: str, settings: ClickHouseSettings) -> Keeping:
    if table.endswith("_rollups"):
        return Keeping(levels=settings.rollup_levels)
    days = int(getattr(settings, _GOVERNED[table][0]))
    return Keeping(days, cold_days=settings.cold_days, volume=settings.cold_volume) if table in _COLD else Keeping(days)


def _applied(client: Client) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for table, ttl in client.query("SELECT table, ttl FROM applied_ttls").result_rows:
        found.setdefault(str(table), set()).add(str(ttl))
    return found


def _is_ours(current: str, column: str, applied: set[str] | None) -> bool:
    """Nothing there is nobody's. Before releases wrote down what they applied, a plain number of days was theirs."""
    if not current:
        return True
    return current in applied if applied else our_days(current, column) is not None


def days_of(client: Client, table: str) -> int:
    """After how many days the table's first rows go, whoever wrote that; 0 = kept for ever."""
    return int(kept_days(_ttl(client, table)))


def hand_written(client: Client) -> dict[str, str]:
    """Tables whose TTL is not ours, and what it says."""
    ours = _applied(client)
    found = {table: _ttl(client, table) for table in _GOVERNED}
    return {name: ttl for name, ttl in found.items() if not _is_ours(ttl, _GOVERNED[name][1], ours.get(name))}


def _ttl(client: Client, table: str) -> str:
    return ttl_of(definition(client, table))
