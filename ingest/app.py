"""`sori ingest`: one process, from its settings to a clean end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import structlog

from ingest.process.admin import admin
from ingest.storage.spool.async_spool import DiskSpool
from ingest.storage.spool.limits import SpoolLimits
from ingest.storage.spool_drain import Drain
from ingest.wiring import Ingress, Source, WorkerFolder, build
from runtime.kafka.rights_check import tell_lacking_rights
from runtime.process.private_files import private_data_dir
from runtime.process.signals import stop_event
from sori.errors import PrerequisiteError
from sori.rights import rights_of
from sori.settings import Settings

#: How long the start waits to learn whether Kafka is there; then events are spooled until it is.
_FIRST_ATTEMPT_S = 2.0
_BACKLOG = 4096
_GC_THRESHOLDS = (25_000, 20, 50)
#: Closing a kept connection at once would cut off a request that is on its way.
_FAREWELL_S = 1.0

_log = structlog.get_logger(__name__)


async def serve(settings: Settings, source: Source | None = None, place: WorkerFolder | None = None) -> None:
    """Run until SIGTERM or SIGINT, then drain; SIGHUP reads endpoints and certificate again.

    Kafka may be down at any time, also at the start. Raises ConfigError, StorageUnavailable when the spool's folder
    cannot be used, PrerequisiteError when the port is taken.
    """
    _calm_collector()
    # it logs every refused connection as an error, twice a second through an outage that the drain reports itself
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    ours = settings.ingest
    limits = SpoolLimits(ours.spool_max_bytes, int(ours.spool_max_age_s * 1000), ours.spool_min_free_bytes)
    private_data_dir(settings.data_dir)
    spool = await DiskSpool.open(ours.spool_dir or settings.data_dir / "spool", limits)
    try:
        ingress = build(settings, spool, source or Source(lambda: settings), place)
        with stop_event() as stop:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, ingress.housekeeper.reload_all)
            # beside the start, which must not wait: without its rights an ingress spools
            rights = asyncio.create_task(tell_lacking_rights(settings.kafka, rights_of("ingest", settings)))
            await run(ingress, stop.wait)
            rights.cancel()
    finally:
        await spool.close()


def _calm_collector() -> None:
    """A request leaves no cycles, but the default threshold walks the young heap 50 times a second: 15 % of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def run(
    ingress: Ingress,
    until: Callable[[], Awaitable[object]],
    on_listening: Callable[[str, int], None] = lambda _host, _port: None,
) -> None:
    """Serve until `until` returns, then drain: unready, finish what is in flight, flush; the rest stays spooled."""
    parts = (ingress.committer, ingress.drain, ingress.housekeeper)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        async with AsyncExitStack() as stack:
            if ingress.worker_metrics is not None:
                await stack.enter_async_context(ingress.worker_metrics.serving())
            await stack.enter_async_context(admin(ingress.settings.ingest, ingress.worker_metrics, ingress.readiness))
            await _first_attempt(ingress.drain)
            listener = await _listen(ingress)
            host, port = listener.sockets[0].getsockname()[:2]
            _log.info("listening", host=host, port=port, kafka=ingress.committer.direct)
            on_listening(host, port)
            await _until_or_failure(until, tasks)
            await _drain(ingress, listener)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ingress.log.close()
    await ingress.spool.refresh()
    _log.info("stopped", left_in_spool=ingress.spool.pending)


async def _drain(ingress: Ingress, listener: asyncio.Server) -> None:
    """Refuse connections, answer what still comes on open ones with `Connection: close`, wait for what is in flight."""
    ingress.webhooks.draining = True
    listener.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            await ingress.server.all_gone()
    ingress.server.pre_shutdown()
    await ingress.server.shutdown(ingress.settings.ingest.drain_s)


async def _until_or_failure(until: Callable[[], Awaitable[object]], tasks: list[asyncio.Task[None]]) -> None:
    """Return when asked to stop; raise what ended a task, for without it nothing is stored."""
    stopping = asyncio.ensure_future(until())
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        stopping.cancel()


async def _first_attempt(drain: Drain) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_ATTEMPT_S):
            await drain.tried.wait()


async def _listen(ingress: Ingress) -> asyncio.Server:
    ours = ingress.settings.ingest
    try:
        return await asyncio.get_running_loop().create_server(
            ingress.server,
            ours.host,
            ours.port,
            family=socket.AF_UNSPEC,
            backlog=_BACKLOG,
            ssl=ingress.tls,
            ssl_handshake_timeout=None if ingress.tls is None else ours.header_timeout_s,
            reuse_port=ingress.worker_metrics is not None or None,
        )
    except OSError as error:
        raise PrerequisiteError(
            f"Cannot listen on {ours.host}:{ours.port}: {error.strerror}.",
            "Free the port or choose another with --port (SORI_INGEST__PORT).",
        ) from error
