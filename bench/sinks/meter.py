"""Wall and CPU time of one way of storing the events."""

from __future__ import annotations

import os
import time
from typing import Any


class Meter:
    """Wall and CPU time between construction and `stop`."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def stop(self, name: str, rows: int) -> dict[str, Any]:
        """The figures."""
        wall, cpu = time.perf_counter() - self._wall, _cpu_seconds() - self._cpu
        return {
            "name": name,
            "events_per_s": round(rows / wall),
            "cpu_us_per_event": round(cpu / rows * 1e6, 2),
            "events": rows,
            "seconds": round(wall, 2),
        }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system
