"""Says that a partition holds as much as it may, and whose events are too many; now and then, not for each of them."""

from __future__ import annotations

import time

import structlog
from faust.types import TP

from streams.operators.base import Counters

_log = structlog.get_logger(__name__)
#: Between two lines about the same partition.
_EVERY_S = 60.0


class FullState:
    """Of one worker."""

    def __init__(self) -> None:
        self._due_s: dict[TP, float] = {}

    def note(self, tp: TP, taken: Counters) -> None:
        """What an operator has counted since it was last asked."""
        events = taken.capped_rows + taken.capped_accounts + taken.capped_subjects
        now_s = time.monotonic()
        if not events or now_s < self._due_s.get(tp, 0.0):
            return
        self._due_s[tp] = now_s + _EVERY_S
        _log.warning(
            "state_capped",
            topic=tp.topic,
            partition=tp.partition,
            account=taken.capped_account,
            rows=taken.capped_rows,
            accounts=taken.capped_accounts,
            subjects=taken.capped_subjects,
            hint="docs/operations.md#soristatecapped",
        )
