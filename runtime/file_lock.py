"""flock on a file of its own: tells what a dead process left behind from what a living one uses."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Locked(OSError):
    """Another process holds the lock."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file for as long as it, or a copy that a child inherited, stays open; False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(path: Path) -> int:
    """An open, locked file descriptor; closing it, or the end of the process, releases. Raises Locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            locked = try_lock(descriptor)
            # its former holder may have removed the file between our open and our lock: then ours locks nothing
            if locked and path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if not locked:
            raise Locked(f"{path} is in use")


def sync_folder(folder: Path) -> None:
    """Make a file's creation in `folder` as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
