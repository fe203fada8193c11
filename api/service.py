"""`sori api`: serves the read side, and leaves a note beside an embedded engine saying where."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from api.alerts.story import CardOf, no_card
from api.app import build_app
from api.auth.access import is_loopback
from api.console.quarantine import Replay, no_replay
from api.kafka.views import KafkaSide
from api.live.data import LiveData
from api.live.page import add_live_page
from api.live.stage_probes import StageProbes, stage_urls
from api.maintenance import RunTask, add_maintenance
from api.query.holder_note import note_path, write_note
from api.query.pool import EnginePool
from api.routes import add_alerting
from runtime.clickhouse.client import parse_dsn
from runtime.http import Readiness, serve
from runtime.http_bounds import HttpBounds
from runtime.telemetry.metrics import announce, counter
from sori import metrics
from sori.errors import StorageUnavailable
from sori.settings import Settings

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def serving(
    settings: Settings,
    readiness: Readiness | None = None,
    run_task: RunTask | None = None,
    card_of: CardOf = no_card,
    replay: Replay = no_replay,
) -> AsyncIterator[str]:
    """Serve while the block runs; yields the URL. Raises PrerequisiteError when the port is taken.

    `run_task` adds maintenance, for whoever can read the note; `card_of` tells of the rules; `replay` tries
    what is in quarantine again.
    """
    announce("api")
    dsn = parse_dsn(settings.reading_dsn)
    if not dsn.embedded and not settings.api.clickhouse_dsn:
        _log.warning("queries_asked_as_writer", remedy="set api.clickhouse_dsn, then `sori schema apply`")
    pool = EnginePool(dsn, settings.api)
    app = build_app(pool, readiness)
    token = secrets.token_urlsafe(24)
    side = add_alerting(app, pool, settings, "" if note_path(dsn) is None else token, card_of=card_of, replay=replay)
    probes = StageProbes(stage_urls(settings))
    add_live_page(app, LiveData(pool), probes, lambda: _connected(side), _webhook(settings), ahead=_anyone(settings))
    if run_task is not None:
        add_maintenance(app, run_task, token)
    ours, refused = settings.api, counter(metrics.API_REFUSED)
    async with serve(
        app,
        ours.host,
        ours.port,
        option="--api-port",
        on_bad_http=refused.labels("bad_http").inc,
        bounds=HttpBounds(ours.max_connections, ours.header_timeout_s, ours.body_timeout_s, ours.keepalive_timeout_s),
        on_shed=refused.labels("connections").inc,
    ) as port:
        host = "127.0.0.1" if settings.api.host in ("0.0.0.0", "::") else settings.api.host  # noqa: S104 - comparison
        url = f"http://{host}:{port}"
        note = note_path(dsn)
        if note is not None:
            kafka = {"bootstrap": settings.kafka.bootstrap, "topic_prefix": settings.kafka.topic_prefix}
            write_note(note, {"url": url, "pid": os.getpid(), "token": token, "kafka": kafka})
        _log.info("api_serving", url=url, clickhouse=str(dsn))
        warming = asyncio.create_task(pool.warm())
        try:
            yield url
        finally:
            warming.cancel()
            if note is not None:
                note.unlink(missing_ok=True)


def _webhook(settings: Settings) -> str:
    return f"{settings.ingest.scheme}://127.0.0.1:{settings.ingest.port or 8080}/webhooks/sori"


def _anyone(settings: Settings) -> bool:
    """Whether the page is answered without a token: only then may the browser ask before the page's script runs."""
    allowed = settings.access.anonymous
    return allowed == "always" or (allowed == "loopback" and is_loopback(settings.api.host))


def _connected(side: KafkaSide) -> bool:
    try:
        side.require()
    except StorageUnavailable:
        return False
    return True
