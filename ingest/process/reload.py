"""Files that may change under us: endpoints, secrets, certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from sori.errors import SoriError

_log = structlog.get_logger(__name__)

Fingerprint = tuple[tuple[int, int, int] | None, ...]


class Reloader:
    """Calls `load` when one of its files has changed; what is in force stays when the new content is wrong.

    `refused` says why the last content was refused, and is empty when what the files say is in force.
    """

    def __init__(self, what: str, load: Callable[[], Sequence[Path]], paths: Sequence[Path]) -> None:
        """`load` puts the new content in force and returns the files to watch from then on; or raises SoriError."""
        self.what = what
        self.refused = ""
        self._load = load
        self._paths = tuple(paths)
        self._seen = fingerprint(self._paths)
        self._before = self._seen

    def check(self) -> bool:
        """Look once, and reload if a file changed since the last load; whether the new content is in force.

        A change is read once the files were the same in two looks: who writes a file empties it first. What was
        refused is tried at each look, since a file that it misses may be none of those we know.
        """
        now = fingerprint(self._paths)
        still, self._before = now == self._before, now
        return still and (now != self._seen or bool(self.refused)) and self.reload()

    def reload(self) -> bool:
        """Reload now; whether the new content is in force."""
        self._seen = fingerprint(self._paths)
        try:
            self._paths = tuple(self._load())
        except (SoriError, OSError, ValueError) as error:
            if str(error) != self.refused:  # told once, not at every look
                self.refused = str(error) or type(error).__name__
                _log.error("reload_refused", what=self.what, error=self.refused, in_force="what was before")
            return False
        self.refused = ""
        self._seen = self._before = fingerprint(self._paths)
        _log.info("reloaded", what=self.what)
        return True


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """Changes when a file is written, replaced (a Kubernetes secret swaps a link) or removed."""
    return tuple(_stat(path) for path in paths)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
