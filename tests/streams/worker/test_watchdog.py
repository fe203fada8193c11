"""The watchdog: silent while there is progress, loud when there is none."""

from __future__ import annotations

import threading
import time

from streams.worker.watchdog import Watchdog


def test_work_without_progress_beyond_the_limit_is_a_stall():
    """The oldest work is older than the limit."""
    stalled = threading.Event()
    since = time.monotonic() - 5
    dog = Watchdog(lambda: since, 1.0, lambda _age: stalled.set())
    assert not dog.healthy
    dog.start()
    assert stalled.wait(10)
    dog.stop()


def test_no_work_is_no_stall():
    """An idle worker is healthy for ever."""
    dog = Watchdog(lambda: None, 0.001, lambda _age: None)
    assert dog.healthy
    assert dog.age_s == 0.0
