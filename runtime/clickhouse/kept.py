"""Since when each level of the data is complete. What is older is never counted again: it would come out too small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
    query = f"""
        SELECT t, max(complete_since) FROM
        (
            SELECT name AS t, toInt64OrZero(extract(engine_full, ' TTL .*?toIntervalDay\\\\((\\\\d+)\\\\)')) AS days,
                if(days = 0, 0, toInt64(toUnixTimestamp(now())) - days * 86400) AS complete_since
            FROM system.tables WHERE database = currentDatabase() AND name IN ({names})
            UNION ALL
            SELECT `table`, 0, toInt64(toUnixTimestamp(since)) FROM kept_since
        )
        GROUP BY t"""  # noqa: S608 - names of ours
    found = {row[0]: int(row[1]) for row in rows(query)}
    return Kept(**{level: found.get(table, 0) for level, table in _TABLES.items()})


def iso(seconds: int) -> str:
    """For people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
