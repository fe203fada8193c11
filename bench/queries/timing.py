"""What one query costs, once the file cache is warm."""

from __future__ import annotations

import json
import resource
import statistics
import time
from typing import Any

from clickhouse_connect.driver.client import Client


def cost(client: Client, sql: str, times: int = 5) -> dict[str, Any]:
    """Asked once for the cache, then `times` times: the median in milliseconds, and what one of them read.

    Also the least processor time, of this process: that of an embedded engine, with what it merges meanwhile.

    Without the cache of query conditions, by which a question asked again would skip what did not match before.
    """
    took, used = [], []
    for _ in range(times + 1):
        begun, busy = time.perf_counter(), cpu_s()
        answer = json.loads(client.raw_query(sql, fmt="JSON", settings={"use_query_condition_cache": 0}))
        took.append((time.perf_counter() - begun) * 1000)
        used.append((cpu_s() - busy) * 1000)
    read = answer["statistics"]
    return {
        "ms": round(statistics.median(took[1:]), 1),
        "cpu_ms": round(min(used[1:]), 1),
        "mb_read": round(read["bytes_read"] / 1e6, 2),
        "rows_read": read["rows_read"],
        "rows": answer["rows"],
    }


def cpu_s() -> float:
    """Processor time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
