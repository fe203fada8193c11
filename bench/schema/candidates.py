"""Other ways to store the events: each changes one thing of the table that migrations make."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: name -> (pattern, replacement) applied to SHOW CREATE TABLE events.
CANDIDATES: Mapping[str, tuple[str, str]] = {
    "as it is": ("", ""),
    "raw LZ4": (r"(`raw` String CODEC)\(ZSTD\(\d\)\)", r"\1(LZ4)"),
    "raw ZSTD(3)": (r"(`raw` String CODEC)\(ZSTD\(\d\)\)", r"\1(ZSTD(3))"),
    "raw ZSTD(6)": (r"(`raw` String CODEC)\(ZSTD\(\d\)\)", r"\1(ZSTD(6))"),
    "identity LZ4": (r"(`identity` String) CODEC\(ZSTD\(1\)\)", r"\1 CODEC(LZ4)"),
    "created_at DoubleDelta": (
        r"(`created_at` DateTime64\(3, 'UTC'\)) CODEC\(Delta\(8\), ZSTD\(1\)\)",
        r"\1 CODEC(DoubleDelta, ZSTD(1))",
    ),
    "String for LowCardinality": (r"LowCardinality\(String\)", "String"),
    "no device index": (r",\s*INDEX devices device_id TYPE bloom_filter\(0\.01\) GRANULARITY 4", ""),
    "ORDER BY account, created_at, event": (
        r"ORDER BY \(account_id, event, created_at, identity\)",
        "ORDER BY (account_id, created_at, event, identity)",
    ),
    "ORDER BY account, event, device, created_at": (
        r"ORDER BY \(account_id, event, created_at, identity\)",
        "ORDER BY (account_id, event, device_id, created_at, identity)",
    ),
    "ORDER BY account, event, campaign, created_at": (
        r"ORDER BY \(account_id, event, created_at, identity\)",
        "ORDER BY (account_id, event, campaign_id, created_at, identity)",
    ),
}

#: What the events table is asked for.
QUERIES: Mapping[str, str] = {
    "an hour": """SELECT toStartOfMinute(created_at) AS m, event, count() FROM {table} FINAL
                  WHERE created_at >= toDateTime64({end} - 3600, 3, 'UTC') GROUP BY m, event""",
    "a campaign's day": """SELECT event, count(), uniq(device_id) FROM {table} FINAL WHERE campaign_id = 'cmp_3'
                  AND created_at >= toDateTime64({end} - 86400, 3, 'UTC') GROUP BY event""",
    "a device": "SELECT created_at, event, campaign_id FROM {table} FINAL WHERE device_id = 'device_1234'",
}


def statement(create: str, table: str, name: str) -> str:
    """CREATE TABLE of a candidate. Raises ValueError when its change finds nothing to change."""
    pattern, replacement = CANDIDATES[name]
    changed, times = re.subn(pattern, replacement, create) if pattern else (create, 1)
    if not times:
        raise ValueError(f"{name}: {pattern} is not in the schema")
    return re.sub(r"^CREATE TABLE \S+", f"CREATE TABLE {table}", changed, count=1)
