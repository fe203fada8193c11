"""Child processes that never outlive us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_WRAPPER = Path(__file__).with_name("die_with_parent.py")
_POLL_S = 0.05


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child that gets SIGTERM when the calling *thread* ends, however it ends; call it from the main thread.

    The child leads its own process group, so that Ctrl-C in the terminal reaches us alone and we stop it in order.
    `output` receives both stdout and stderr (None = inherited). Raises OSError when the interpreter cannot start; a
    missing command shows as exit code 1 of the child.
    """
    wrapped = [sys.executable, "-I", "-S", str(_WRAPPER), str(os.getpid()), str(int(signal.SIGTERM)), *command]
    return subprocess.Popen(
        wrapped,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        cwd=cwd,
        pass_fds=pass_fds,
        process_group=0,
    )


async def wait(process: subprocess.Popen[bytes], timeout_s: float | None = None) -> int | None:
    """Wait for the child without blocking the loop; its exit code, or None when the time ran out first."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while (code := process.poll()) is None:
        if deadline is not None and time.monotonic() >= deadline:
            return None
        await asyncio.sleep(_POLL_S)
    return code


async def stop(process: subprocess.Popen[bytes], grace_s: float) -> int:
    """SIGTERM, up to `grace_s` seconds to end by itself, then SIGKILL; returns the exit code."""
    if process.poll() is None:
        process.terminate()
    code = await wait(process, grace_s)
    if code is None:
        process.kill()
        code = await wait(process)
    assert code is not None  # noqa: S101 - wait without a timeout always returns a code
    return code
