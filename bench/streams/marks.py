"""How a process under test tells its progress: JSON lines on stdout. Standard library only, for the peers' own venv.

first   the first record was processed
warm    the warm-up is over: everything before is not measured
end     the last record is processed, its outputs are acknowledged, its progress is committed
`cpu` is that of all threads of the process, seconds.
"""

from __future__ import annotations

import json
import time


class Marks:
    """Counts records and prints a mark where one is due."""

    def __init__(self, total: int, warmup: int) -> None:
        self.total = total
        self.warmup = warmup
        self.events = 0
        self._began = self._warm = False

    def begin(self) -> None:
        """The first record is about to be processed: for peers that count a batch before they work on it."""
        if not self._began:
            self._began = True
            self._mark("first")
            self._warm_up()

    def count(self, more: int = 1) -> bool:
        """Count records; returns whether all of them have been counted."""
        self.reach(self.events + more)
        return self.events >= self.total

    def reach(self, events: int) -> None:
        """So many records have been processed by now."""
        self.events = events
        self.begin()
        self._warm_up()

    def _warm_up(self) -> None:
        if not self._warm and self.events >= self.warmup:
            self._warm = True
            self._mark("warm")

    def end(self, **more: int) -> None:
        """Everything is done."""
        self._mark("end", **more)

    def _mark(self, name: str, **more: int) -> None:
        now = {"at": time.perf_counter(), "cpu": time.process_time()}
        print(json.dumps({"mark": name, "events": self.events, **now, **more}), flush=True)
