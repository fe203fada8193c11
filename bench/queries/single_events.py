"""Looking for single events, exporting an hour, forgetting a device: what they cost in a table of many events."""

# ruff: noqa: S608 - names and numbers of ours

from __future__ import annotations

import itertools
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from bench.queries.console import console_queries
from bench.queries.corpus import END
from bench.queries.timing import cost, cpu_s
from sinks.maintenance.forget import forget
from sinks.maintenance.parquet import export_events
from sori.settings import Settings


def look_ups(client: Client) -> list[dict[str, Any]]:
    """Devices and activities that are there and that are not, a day of the login audit, a week by minutes."""
    device, activity = client.query(
        f"SELECT device_id, activity_id FROM events WHERE created_at >= toDateTime64({END} - 3600, 3, 'UTC')"
        f" AND created_at < toDateTime64({END} - 3540, 3, 'UTC') AND activity_id != '' LIMIT 1"
    ).result_rows[0]
    audit = f"auth_audit_between(tolerance = 300, since = {END - 86_400}, until = {END}, accounts = [])"
    asked = {
        "a device's history": f"SELECT * FROM events_of_device(device_id = '{device}')",
        "an unknown device": "SELECT * FROM events_of_device(device_id = 'nobody')",
        "an activity": f"SELECT * FROM events_of_activity(activity_id = '{activity}')",
        "an unknown activity": "SELECT * FROM events_of_activity(activity_id = 'nothing')",
        "a day of the login audit": f"SELECT class, count() FROM {audit} GROUP BY class",
        "a week by minute, of ctr_by_minute": "SELECT minute, sum(impressions) FROM ctr_by_minute"
        f" WHERE minute >= toDateTime({END - 7 * 86_400}) GROUP BY minute",
        "the same, of ctr_sums_by_campaign": "SELECT time, sum(impressions) FROM"
        f" ctr_sums_by_campaign(since = {END - 7 * 86_400}, until = {END}, step = 60) GROUP BY time",
    }
    return [{"name": name, **cost(client, sql)} for name, sql in asked.items()]


def export_of_an_hour(client: Client) -> dict[str, Any]:
    """Milliseconds, rows, and by how much this process grew at most."""
    with tempfile.TemporaryDirectory() as folder:
        asked = {"folder": folder, "start": END - 7200, "end": END - 3600}
        took, grown, steps = measured(lambda: list(export_events(client, Settings(), asked)))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return {
        "name": "export of an hour",
        "ms": took,
        "grown_mb": grown,
        "mb": round(size / 1e6, 1),
        **steps[-1]["result"],
    }


def forgotten_device(client: Client) -> dict[str, Any]:
    """A device with about twenty events, and how long it takes until nobody sees it; its windows are recounted."""
    counted = "SELECT device_id, count() AS n FROM events WHERE device_id != '' GROUP BY device_id"
    device = client.query(f"{counted} ORDER BY abs(toInt64(n) - 20), device_id LIMIT 1").result_rows[0][0]
    begun, busy = time.perf_counter(), cpu_s()
    steps = [
        (time.perf_counter() - begun, str(step.get("note", "end")))
        for step in forget(client, Settings(), {"device": device})
    ]
    parts = {note: round((after - before) * 1000) for (before, note), (after, _) in itertools.pairwise(steps)}
    parts["noting its windows"] = round(steps[0][0] * 1000)
    used = round((cpu_s() - busy) * 1000)
    return {"name": "forgetting a device", "ms": round(steps[-1][0] * 1000), "cpu_ms": used, "steps": parts}


def first_page(client: Client) -> dict[str, Any]:
    """What the console's first page asks of the events; right after a device was forgotten."""
    sql = dict(console_queries(END))["overview: pulse"]
    return {"name": "the first page's pulse", **cost(client, sql, times=3)}


def measured(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Milliseconds, megabytes by which the process grew at most, and what `work` returned. Linux only."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, begun = _status_mb("VmRSS"), time.perf_counter()
    result = work()
    took = (time.perf_counter() - begun) * 1000
    return round(took), round(_status_mb("VmHWM") - before, 1), result


def _status_mb(name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0
