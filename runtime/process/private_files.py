"""Folders and files that hold events or secrets: for their owner's eyes only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sori.errors import StorageUnavailable

_OTHERS = 0o077
#: What the stages keep in a data directory.
OURS = frozenset({"kafka", "clickhouse", "clickhouse.api.json", "spool", "logs", "webhook-secret", "pipeline.lock"})


def private_folder(path: Path) -> Path:
    """Create the folder and what it lies in, mode 0700; an own one with wider modes is tightened.

    One that another user owns (a volume that Kubernetes mounts for our group) keeps the modes its owner gave it, and
    so does one that everybody shares (sticky, such as /tmp). Raises OSError.
    """
    for missing in reversed([path, *path.parents]):
        missing.mkdir(exist_ok=True, mode=0o700)
    found = path.stat()
    shared = found.st_mode & stat.S_ISVTX
    if found.st_mode & _OTHERS and not shared and found.st_uid == os.geteuid():
        path.chmod(0o700)
    return path


def private_data_dir(path: Path) -> Path:
    """The same for a data directory, but one that holds other things than ours keeps its modes.

    Raises StorageUnavailable.
    """
    try:
        if path.is_dir() and {entry.name for entry in path.iterdir()} - OURS:
            return path
        return private_folder(path)
    except OSError as error:
        what = "is a file" if path.exists() and not path.is_dir() else f"cannot be used ({error.strerror})"
        raise StorageUnavailable(f"data directory {path} {what}; choose another with --data-dir") from error


def write_private(path: Path, text: str) -> None:
    """Write a new file, mode 0600, whole or not at all. Raises FileExistsError and OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    finally:
        beside.unlink()
