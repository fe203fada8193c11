"""Stops a sink whose table refuses everything, before it moves its topic into quarantine row by row. Pure.

A poison row is rare and has good neighbours. When so many rows in a row were refused and none of a sample of the batch
is accepted either, it is the table: a changed type, a constraint, a disk of the wrong kind. Then nothing more goes to
quarantine, and the sink waits and tries again until somebody mends it.
"""

from __future__ import annotations

from sinks.insert.failures import Rejected

#: Rows of a batch, evenly spread, that are tried before it is given up on.
SAMPLE = 32


class RefusesAll(Exception):
    """Nothing of the batch is accepted."""

    def __init__(self, last: Rejected) -> None:
        super().__init__(str(last))
        self.last = last


class Breaker:
    """Counts refused rows since the last accepted one. `most` 0: never stops."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._refused = 0
        self.open = False

    def accepted(self) -> None:
        """A row was stored: the table takes rows."""
        self._refused = 0
        self.open = False

    def refused(self) -> bool:
        """A single row was refused; returns whether that is one too many."""
        self._refused += 1
        self.open = 0 < self._most <= self._refused
        return self.open


def sample(rows: int) -> list[int]:
    """Indexes of rows to try, evenly spread, the last one included."""
    count = min(rows, SAMPLE)
    return sorted({(n + 1) * rows // count - 1 for n in range(count)})
