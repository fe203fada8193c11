"""Cores and CPU time of processes, Linux."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def split() -> tuple[set[int], set[int]]:
    """(the server's core, the cores of broker and load generator); the same one where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (set(cores), set(cores))


def pin(pid: int, cores: set[int]) -> None:
    """Keep every thread of a process on these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)


def used_s(pid: int) -> float:
    """CPU seconds that a process and its children have used so far."""
    total = _own_s(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        total += used_s(int(child))
    return total


def busy_elsewhere(seconds: float = 1.0) -> float:
    """Share of all cores that other work takes, measured while we do nothing."""
    idle, total = _idle_and_total()
    time.sleep(seconds)
    idle_after, total_after = _idle_and_total()
    return 1.0 - (idle_after - idle) / max(1, total_after - total)


def _idle_and_total() -> tuple[int, int]:
    fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _own_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process, megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
