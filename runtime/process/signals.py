"""SIGTERM and SIGINT become an event; a second one ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger(__name__)


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGTERM or SIGINT sets; use it inside a running loop, in the main thread.

    The second signal exits hard with code 128 + signal, for whoever does not want to wait for a drain. The former
    handlers come back at the end.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def handle(number: signal.Signals) -> None:
        if event.is_set():
            _log.warning("process_stopping_at_once", signal=number.name)
            os._exit(128 + number)
        _log.info("process_stopping", signal=number.name)
        event.set()

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield event
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
