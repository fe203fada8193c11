"""`sori api`: serves the read side, and leaves a note beside an embedded engine saying where."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from api.app import build_app
from api.kafka.views import KafkaSide
from api.live.data import LiveData
from api.live.page import add_live_page
from api.live.stage_probes import StageProbes, stage_urls
from api.maintenance import RunTask, add_maintenance
from api.query.pool import EnginePool
from api.routes import add_alerting
from runtime.clickhouse.client import Dsn, parse_dsn
from runtime.http import Readiness, serve
from runtime.telemetry.metrics import announce, counter
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings import Settings

_log = structlog.get_logger()


@asynccontextmanager
async def serving(
    settings: Settings, readiness: Readiness | None = None, run_task: RunTask | None = None
) -> AsyncIterator[str]:
    """Serve while the block runs; yields the URL. Raises PrerequisiteError when the port is taken.

    `run_task` adds maintenance, for whoever can read the note.
    """
    announce("api")
    dsn = parse_dsn(settings.clickhouse_dsn)
    pool = EnginePool(dsn, settings.api)
    app = build_app(pool, readiness)
    side = add_alerting(app, pool, settings)
    add_live_page(app, LiveData(pool, StageProbes(stage_urls(settings))), lambda: _connected(side))
    token = secrets.token_urlsafe(24)
    if run_task is not None:
        add_maintenance(app, run_task, token)
    refused = counter(metrics.API_REFUSED).labels("bad_http")
    async with serve(app, settings.api.host, settings.api.port, option="--api-port", on_bad_http=refused.inc) as port:
        host = "127.0.0.1" if settings.api.host in ("0.0.0.0", "::") else settings.api.host  # noqa: S104 - comparison
        url = f"http://{host}:{port}"
        note = note_path(dsn)
        if note is not None:
            _write_note(note, {"url": url, "pid": os.getpid(), "token": token})
        _log.info("api serving", url=url, clickhouse=str(dsn))
        try:
            yield url
        finally:
            if note is not None:
                note.unlink(missing_ok=True)


def _connected(side: KafkaSide) -> bool:
    try:
        side.require()
    except StorageUnavailable:
        return False
    return True


def _write_note(path: Path, note: dict[str, object]) -> None:
    """For this user's eyes only: the token opens maintenance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(note, file)


def note_path(dsn: Dsn) -> Path | None:
    """Where the process that holds a chDB path says where its API is."""
    return None if dsn.path is None else dsn.path.with_name(dsn.path.name + ".api.json")


@dataclass(frozen=True, slots=True)
class Note:
    """Where the API of the process is that holds an embedded engine."""

    url: str
    token: str


def read_note(dsn: Dsn) -> Note | None:
    """The note beside a chDB path, or None; the process that wrote it may be gone."""
    path = note_path(dsn)
    try:
        note = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        return Note(note["url"], note["token"])
    except (OSError, ValueError, KeyError):
        return None


def noted_url(dsn: Dsn) -> str | None:
    """The URL in that note, or None."""
    note = read_note(dsn)
    return note.url if note is not None else None
