"""Since when each level of the data is complete. What is older is never counted again: it would come out too small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runtime.clickhouse.table_ttl import kept_days, ttl_of

#: Event times may run ahead of receipt, by which raw events age: a window is complete only so long after the limit.
_MARGIN_S = 3600
_TABLES = {"events": "events", "windows": "ctr_windows", "rollups": "campaign_rollups"}


@dataclass(frozen=True, slots=True)
class Kept:
    """Epoch seconds since when raw events, 1-minute windows and roll-ups are complete; 0: always."""

    events: int = 0
    windows: int = 0
    rollups: int = 0

    @property
    def countable(self) -> int:
        """Windows from here on can be counted again from the raw events."""
        return max(self.events + _MARGIN_S if self.events else 0, self.windows)

    @property
    def rollable(self) -> int:
        """5-minute buckets from here on can be rolled up again from the windows."""
        return self.windows


def read_kept(rows: Callable[[str], Iterable[Any]]) -> Kept:
    """As the tables' TTLs in force say, and what is noted of earlier ones; `rows` runs a query."""
    names = ", ".join(f"'{table}'" for table in _TABLES.values())
    noted = "SELECT `table`, toUnixTimestamp(max(since)) FROM kept_since GROUP BY `table`"
    tables = f"""SELECT name, engine_full, toUnixTimestamp(now()) FROM system.tables
        WHERE name IN ({names}) AND engine != 'Distributed'
            AND database IN (currentDatabase(), currentDatabase() || '_local')"""  # noqa: S608 - names of ours
    found = {row[0]: int(row[1]) for row in rows(noted)}
    for table, engine, now in rows(tables):
        if days := kept_days(ttl_of(engine)):
            found[table] = max(found.get(table, 0), int(now - days * 86_400))
    return Kept(**{level: found.get(table, 0) for level, table in _TABLES.items()})


def iso(seconds: int) -> str:
    """For people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
