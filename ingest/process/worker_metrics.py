"""Workers share one port, so a scrape hits any of them: it collects the others' pages over Unix sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ingest.process.merge_metrics import merge

_TIMEOUT_S = 1.0


class WorkerMetrics:
    """The workers whose sockets are in `folder`; `name` is ours."""

    def __init__(self, folder: Path, name: str, page: Callable[[], bytes]) -> None:
        self._folder = folder
        self._name = name
        self._page = page

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer the other workers while the block runs."""
        path = self._folder / f"{self._name}.sock"
        path.unlink(missing_ok=True)  # of our predecessor, killed
        server = await asyncio.start_unix_server(self._answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._page())
        writer.close()

    async def page(self) -> bytes:
        """Everyone's metrics, with a `worker` label; a worker that does not answer in time is left out."""
        others = [path for path in self._folder.glob("*.sock") if path.stem != self._name]
        pages = await asyncio.gather(*(_fetch(path) for path in others))
        found = {path.stem: page for path, page in zip(others, pages, strict=True) if page}
        return merge({**found, self._name: self._page().decode()}).encode()


async def _fetch(path: Path) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
