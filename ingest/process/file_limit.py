"""Open files: every connection is one, and without any left nobody is accepted."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress

import structlog

#: Files that the process needs beside connections: spool, Kafka, sockets of workers, libraries as they are loaded.
_OWN_FILES = 128
_EVERY_S = 10.0
#: Connections closed at a time when there is none left.
_ROOM = 64

_log = structlog.get_logger(__name__)


def burst_of(connections: int) -> int:
    """How many connections beyond the bound there may be for a moment: no more than the kernel queues for us."""
    return min(1024, connections // 4)


def affordable_connections(wanted: int) -> int:
    """`wanted`, or as many as the limit of open files leaves room for; raises the soft limit as far as it may go.

    What does not fit is logged: a limit that is met only under attack is not found in time.
    """
    needed = wanted + burst_of(wanted) + _OWN_FILES
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _below(limit, needed) and not _below(hard, limit + 1):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard if _below(hard, needed) else needed, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _below(limit, needed):
        return wanted
    affordable = max(1, (limit - _OWN_FILES) * 4 // 5)
    _log.warning(
        "open_files_limit_is_low",
        limit=limit,
        max_connections=wanted,
        in_force=affordable,
        remedy=f"ulimit -n {needed} (LimitNOFILE= in systemd), or a lower ingest.max_connections",
    )
    return affordable


def _below(limit: int, needed: int) -> bool:
    return limit != resource.RLIM_INFINITY and limit < needed


class FileWatch:
    """Notices that no file can be opened, says so at most every ten seconds, and asks for room."""

    def __init__(self, make_room: Callable[[int], int]) -> None:
        """`make_room` closes so many connections that wait and returns how many there were."""
        self._make_room = make_room
        self._logged_s = float("-inf")

    def check(self, now_s: float) -> bool:
        """Whether a file can be opened now; costs one system call. `now_s` is monotonic, seconds."""
        try:
            os.close(os.open("/", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            closed = self._make_room(_ROOM)
            if now_s - self._logged_s >= _EVERY_S:
                self._logged_s = now_s
                limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
                _log.warning("no_file_can_be_opened", error=error.strerror, limit=limit, connections_closed=closed)
            return False
        return True
