"""Files that may change under us: endpoints, secrets, certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from sori.errors import ConfigError

_logger = structlog.get_logger()

Fingerprint = tuple[tuple[int, int, int] | None, ...]


class Reloader:
    """Calls `load` when one of its files has changed; what is in force stays when the new content is wrong."""

    def __init__(self, what: str, load: Callable[[], Sequence[Path]], paths: Sequence[Path]) -> None:
        """`load` puts the new content in force and returns the files to watch from then on."""
        self._what = what
        self._load = load
        self._paths = tuple(paths)
        self._seen = fingerprint(self._paths)

    def check(self) -> bool:
        """Reload if a file changed; whether it did."""
        return fingerprint(self._paths) != self._seen and self.reload()

    def reload(self) -> bool:
        """Reload now; whether the new content is in force."""
        self._seen = fingerprint(self._paths)
        try:
            self._paths = tuple(self._load())
        except ConfigError as error:
            _logger.error("reload_refused", what=self._what, error=str(error), in_force="what was before")  # noqa: TRY400
            return False
        self._seen = fingerprint(self._paths)
        _logger.info("reloaded", what=self._what)
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
