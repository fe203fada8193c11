"""How long ClickHouse keeps rows: table TTLs that follow the settings.

A TTL that somebody wrote by hand (tiers, other columns, several rules) is left alone, whatever the settings say.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from clickhouse_connect.driver.client import Client

from runtime.clickhouse.storage import changeable, definition
from runtime.clickhouse.table_ttl import our_days, ttl_of
from sori.settings.clickhouse import ClickHouseSettings

#: Table -> setting that governs it and the time from which its rows age. A late event may have been received long ago.
_GOVERNED = {
    "events": ("events_days", "toDateTime(received_at)"),
    "identities": ("events_days", "toDateTime(received_at)"),
    "device_events": ("events_days", "toDateTime(received_at)"),
    "ctr_windows": ("windows_days", "window_start"),
    "device_windows": ("windows_days", "window_start"),
    "window_repairs": ("windows_days", "window_start"),
    "campaign_rollups": ("rollups_days", "time"),
    "place_rollups": ("rollups_days", "time"),
    "country_rollups": ("rollups_days", "time"),
    "detail_rollups": ("rollups_days", "time"),
    "alerts": ("alerts_days", "toDateTime(updated_at)"),
    "delivery_attempts": ("attempts_days", "toDateTime(attempted_at)"),
    "session_records": ("sessions_days", "toDateTime(at)"),
    "late": ("late_days", "stored_at"),
    "repetitions": ("late_days", "toDateTime(found_at)"),
    "recount_requests": ("late_days", "toDateTime(asked_at)"),
    "quarantine": ("quarantine_days", "toDateTime(received_at)"),
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """A table whose retention changed; days, 0 = kept for ever."""

    table: str
    before: int
    after: int


def apply(client: Client, settings: ClickHouseSettings) -> list[Change]:
    """Bring every TTL in line with the settings; rows age out with later merges. Returns what changed."""
    changes = []
    for table, (setting, column) in _GOVERNED.items():
        wanted, current = int(getattr(settings, setting)), our_days(_ttl(client, table), column)
        if current is None:
            _log.info("retention_left_alone", table=table, ttl=_ttl(client, table))
        if current is None or wanted == current:
            continue
        if current and (not wanted or wanted > current):
            client.command(f"INSERT INTO kept_since SELECT '{table}', now() - toIntervalDay({current})")
        where = changeable(client, table)
        if wanted:
            client.command(f"ALTER TABLE {where} MODIFY SETTING ttl_only_drop_parts = {int(table != 'alerts')}")
            client.command(
                f"ALTER TABLE {where} MODIFY TTL {column} + toIntervalDay({wanted})",
                settings={"materialize_ttl_after_modify": 0},
            )
        else:
            client.command(f"ALTER TABLE {where} REMOVE TTL")
        _log.info("retention_changed", table=table, days_before=current, days=wanted)
        changes.append(Change(table, current, wanted))
    return changes


def days_of(client: Client, table: str) -> int:
    """The retention in force that the settings govern, days; 0 = kept for ever, or as somebody wrote by hand."""
    return our_days(_ttl(client, table), _GOVERNED[table][1]) or 0


def hand_written(client: Client) -> dict[str, str]:
    """Tables whose TTL is not ours, and what it says."""
    found = {table: _ttl(client, table) for table in _GOVERNED}
    return {table: ttl for table, ttl in found.items() if our_days(ttl, _GOVERNED[table][1]) is None}


def _ttl(client: Client, table: str) -> str:
    return ttl_of(definition(client, table))
