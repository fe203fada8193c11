"""Flushes under a storm of alerts: each emits all that changed, so that one after the other would leave no time."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

from streams.app import _flush_until

_TOOK_S, _FOR_S = 0.02, 1.0


class Stormy:
    """A worker to which there is always one more alert; each flush takes some time."""

    def __init__(self) -> None:
        self.owes_alert = asyncio.Event()
        self.owes_alert.set()
        self.flush_took_s = 0.0
        self.flushes: list[float] = []

    async def flush(self) -> bool:
        """As the worker does, but the alerts never end."""
        self.flushes.append(time.monotonic())
        time.sleep(_TOOK_S)  # noqa: ASYNC251 - rows are made in the event loop
        self.flush_took_s = _TOOK_S
        return False

    async def tick(self, _: object) -> bool:
        """No partition is silent."""
        return False

    def flush_points(self) -> dict[object, object]:
        """Nothing to commit."""
        return {}

    def live_panes(self) -> dict[str, int]:
        """None."""
        return {}

    def replaying(self) -> dict[object, tuple[int, int]]:
        """None."""
        return {}

    def positions(self) -> dict[object, int]:
        """None."""
        return {}

    def rewinds(self) -> dict[object, int]:
        """None."""
        return {}


async def test_alerts_without_end_leave_most_of_the_time_to_events_and_the_first_one_waits_for_nothing():
    """The rate has an upper bound by what a flush takes; a machine under load only makes fewer."""
    worker, stop, never = Stormy(), asyncio.Event(), asyncio.Event()
    app = SimpleNamespace(
        checkpointer=worker,
        crashed=False,
        wait_until_stopped=never.wait,
        logs=SimpleNamespace(until_replaced=never.wait),
        monitor=SimpleNamespace(tp_end_offsets={}),
    )
    began = time.monotonic()
    running = asyncio.create_task(_flush_until(app, 60.0, stop))
    await asyncio.sleep(_FOR_S)
    stop.set()
    assert not await running
    took = time.monotonic() - began
    assert worker.flushes[0] - began < 30  # not the interval
    assert 1 < len(worker.flushes) <= 2 + took / (4 * _TOOK_S)
