"""Whose a data directory is: `sori up` locks it, so that nobody opens its engine before it does or between starts."""

from __future__ import annotations

import os
from pathlib import Path

from runtime.file_lock import Locked, lock, try_lock
from sori.errors import PrerequisiteError

OWNER_FILE = "pipeline.lock"


def own(data_dir: Path) -> int:
    """A descriptor that holds the directory until it is closed or the process ends. Raises PrerequisiteError."""
    path = data_dir / OWNER_FILE
    try:
        descriptor = lock(path)
    except Locked:
        raise PrerequisiteError(
            f"Process {owner(data_dir)} runs a pipeline on {data_dir}.", "Stop it, or choose another with --data-dir."
        ) from None
    except OSError as error:
        raise PrerequisiteError(
            f"The data directory {data_dir} cannot be written ({error.strerror}).", "Choose another with --data-dir."
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def owner(data_dir: Path) -> int | None:
    """Process id of another process whose pipeline runs on this directory, or None; 0 where it is not readable."""
    try:
        descriptor = os.open(data_dir / OWNER_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        digits = os.read(descriptor, 20).decode(errors="replace").strip()
        pid = int(digits) if digits.isdigit() else 0
        return None if pid == os.getpid() or try_lock(descriptor) else pid
    finally:
        os.close(descriptor)
