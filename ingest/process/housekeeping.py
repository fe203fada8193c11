"""What an ingress does besides requests: look after its spool, its dead siblings' spools and its files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from ingest.process.file_limit import FileWatch
from ingest.process.reload import Reloader
from ingest.storage.group_commit import Committer
from ingest.storage.spool.async_spool import DiskSpool

_EVERY_S = 1.0
_ADOPT_EVERY = 10


class Housekeeper:
    """One loop for everything that is looked at every second."""

    def __init__(self, spool: DiskSpool, committer: Committer, reloaders: Sequence[Reloader], files: FileWatch) -> None:
        self._spool = spool
        self._committer = committer
        self._reloaders = reloaders
        self._files = files

    async def run(self) -> None:
        """Look until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(_EVERY_S)
            turn += 1
            if not self._files.check(monotonic()):
                continue  # what follows opens files
            for reloader in self._reloaders:
                reloader.check()
            await self._spool.refresh()
            if turn % _ADOPT_EVERY == 0 and await self._spool.adopt():
                self._committer.spooling.set()

    def reload_all(self) -> None:
        """SIGHUP: read every file again, changed or not."""
        for reloader in self._reloaders:
            reloader.reload()
