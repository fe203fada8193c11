"""One broker per folder: a second one would overwrite the first one's configuration before Kafka noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.file_lock import try_lock
from runtime.process.private_files import private_folder
from sori.errors import PrerequisiteError

_POLL_S = 0.1


@asynccontextmanager
async def folder_lock(path: Path, timeout_s: float = 5.0) -> AsyncIterator[int]:
    """Lock the folder and yield the lock's file descriptor: a child that inherits it holds the lock until it ends.

    Waits for a broker that is just ending; raises PrerequisiteError when it still runs after `timeout_s` seconds.
    """
    private_folder(path.parent)
    deadline = time.monotonic() + timeout_s
    with path.open("w") as handle:
        while not try_lock(handle.fileno()):
            if time.monotonic() > deadline:
                raise PrerequisiteError(
                    f"Another broker runs in {path.parent}.",
                    "Stop that one (`sori up` or `sori broker`), or choose another folder with --data-dir.",
                )
            await asyncio.sleep(_POLL_S)
        yield handle.fileno()
