"""`sori api`: serves the read side, and leaves a note beside an embedded engine saying where."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from api.app import build_app
from api.pool import EnginePool
from runtime.clickhouse import Dsn, parse_dsn
from runtime.http import Readiness, always_ready, serve
from sori.settings import Settings

_log = structlog.get_logger()


@asynccontextmanager
async def serving(settings: Settings, readiness: Readiness = always_ready) -> AsyncIterator[str]:
    """Serve while the block runs; yields the URL. Raises PrerequisiteError when the port is taken."""
    dsn = parse_dsn(settings.clickhouse_dsn)
    app = build_app(EnginePool(dsn, settings.api), readiness)
    async with serve(app, settings.api.host, settings.api.port, option="--api-port") as port:
        host = "127.0.0.1" if settings.api.host in ("0.0.0.0", "::") else settings.api.host  # noqa: S104 - comparison
        url = f"http://{host}:{port}"
        note = note_path(dsn)
        if note is not None:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
        _log.info("api serving", url=url, clickhouse=str(dsn))
        try:
            yield url
        finally:
            if note is not None:
                note.unlink(missing_ok=True)


def note_path(dsn: Dsn) -> Path | None:
    """Where the process that holds a chDB path says where its API is."""
    return None if dsn.path is None else dsn.path.with_name(dsn.path.name + ".api.json")


def noted_url(dsn: Dsn) -> str | None:
    """The URL in that note, or None; the process may be gone."""
    path = note_path(dsn)
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["url"]) if path is not None else None
    except (OSError, ValueError, KeyError):
        return None
