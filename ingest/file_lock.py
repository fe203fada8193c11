"""flock on a file of its own: tells what a dead process left behind from what a living one uses."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Locked(OSError):
    """Another process holds the lock."""


def lock(path: Path) -> int:
    """An open, locked file descriptor; closing it, or the end of the process, releases. Raises Locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # its former holder may have removed the file between our open and our lock: then ours locks nothing
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise Locked(f"{path} is in use") from error
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a file's creation in `folder` as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
