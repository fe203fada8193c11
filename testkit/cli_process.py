"""`sori` as a process of its own: what a server in the test's process logs is not mixed with what the command says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys


async def sori(*words: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, with this exit code."""
    command = [sys.executable, "-m", "cli.main", *words]
    env = {**os.environ, "COLUMNS": "200"}
    done = await asyncio.to_thread(subprocess.run, command, env=env, capture_output=True, check=False)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done
