"""Signals become an event."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from runtime.process.signals import stop_event
from testkit.paths import ROOT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_sets_the_event(number: signal.Signals) -> None:
    """The process goes on, to drain."""
    with stop_event() as event:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await event.wait()
        assert event.is_set()


async def test_the_former_handlers_come_back() -> None:
    """Ctrl-C interrupts again once the block is left."""
    before = signal.getsignal(signal.SIGINT)
    with stop_event():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_the_second_signal_ends_the_process_at_once() -> None:
    """Whoever does not want to wait for a drain signals twice."""
    script = (
        "import asyncio\nfrom runtime.process.signals import stop_event\n"
        "async def main():\n"
        "    with stop_event() as event:\n"
        "        print('ready', flush=True)\n"
        "        await event.wait()\n"
        "        print('draining', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdout is not None
        for expected in (b"ready", b"draining"):
            while process.stdout.readline().strip() != expected:
                pass
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
