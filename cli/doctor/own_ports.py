"""Whether a port is taken by the pipeline that runs on our data directory, as Linux tells it in /proc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"


def listens(owner: int, port: int) -> bool:
    """Whether the process, or one that it started, listens on the port; False where the system does not tell."""
    sockets = set(_listening(port))
    return bool(sockets) and any(sockets & _sockets_of(pid) for pid in _family(owner))


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on it."""
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            for line in (_PROC / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{fields[9]}]"


def _sockets_of(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found


def _family(owner: int) -> set[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    with suppress(OSError):
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                with suppress(OSError, IndexError, ValueError):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    children.setdefault(parent, []).append(int(entry.name))
    found, left = set(), [owner]
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children.get(pid, [])
    return found
