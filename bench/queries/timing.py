"""What one query costs, once the file cache is warm."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from clickhouse_connect.driver.client import Client


def cost(client: Client, sql: str, times: int = 5) -> dict[str, Any]:
    """Asked once for the cache, then `times` times: the median in milliseconds, and what one of them read.

    Without the cache of query conditions, by which a question asked again would skip what did not match before.
    """
    took = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
        took.append((time.perf_counter() - begun) * 1000)
    read = answer["statistics"]
    return {
        "ms": round(statistics.median(took[1:]), 1),
        "mb_read": round(read["bytes_read"] / 1e6, 2),
        "rows_read": read["rows_read"],
        "rows": answer["rows"],
    }
