"""Thins out what a library logs again and again: a Kafka client without its broker logs every attempt to connect."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Loggers whose repeats are thinned out, with their children; our own lines are never held back.
LIBRARIES = ("aiokafka", "kafka", "faust", "mode", "urllib3", "clickhouse_connect")


@dataclass(slots=True)
class _Seen:
    shown_at: float
    held_back: int = 0


class RepeatFilter(logging.Filter):
    """Lets the first line of a kind pass, then one per `every_s` seconds that says how many were held back.

    Lines are of one kind when logger, level and message template are the same, whatever the values in it.
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._seen: dict[tuple[str, int, str], _Seen] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show this line; adds `repeats` to one that stands for others."""
        if record.name.partition(".")[0] not in LIBRARIES or not self._every_s:
            return True
        key, now = (record.name, record.levelno, str(record.msg)), self._clock()
        with self._lock:
            seen = self._seen.get(key)
            if seen is not None and now - seen.shown_at < self._every_s:
                seen.held_back += 1
                return False
            self._forget(now)
            self._seen[key] = _Seen(now)
        if seen is not None and seen.held_back:
            record.repeats = seen.held_back
        return True

    def _forget(self, now: float) -> None:
        """Bounds the memory where templates carry values; untold counts of lines long gone go with them."""
        if len(self._seen) > 1000:
            recent = {k: s for k, s in self._seen.items() if now - s.shown_at < self._every_s}
            self._seen = recent if len(recent) <= 1000 else {}
