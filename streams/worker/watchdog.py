"""Ends a process that holds work and makes no progress: a restart is exact, a stall is silent loss of time.

It runs in a thread of its own, since what it watches for includes an event loop that no longer turns.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import structlog

from streams.worker import metrics

_log = structlog.get_logger(__name__)

#: Exit code of a process that ended itself for lack of progress (EX_SOFTWARE).
STALLED = 70


class Watchdog:
    """`oldest_work` tells since when (monotonic seconds) work has been waiting, None when there is none."""

    def __init__(
        self,
        oldest_work: Callable[[], float | None],
        limit_s: float,
        on_stall: Callable[[float], None] | None = None,
    ) -> None:
        self._oldest_work = oldest_work
        self._limit_s = limit_s
        self._on_stall = on_stall or _exit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    @property
    def age_s(self) -> float:
        """Age of the oldest work without progress, seconds."""
        since = self._oldest_work()
        return 0.0 if since is None else time.monotonic() - since

    @property
    def healthy(self) -> bool:
        """Whether progress is within the limit."""
        return self.age_s <= self._limit_s

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(min(1.0, self._limit_s / 4)):
            age = self.age_s
            metrics.uncommitted.set(age)
            if age > self._limit_s:
                self._on_stall(age)
                return


def _exit(age_s: float) -> None:
    _log.critical("stalled", seconds_without_progress=round(age_s, 1))
    os._exit(STALLED)
