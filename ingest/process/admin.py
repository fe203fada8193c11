"""The ingress's admin port: metrics, and the probes once more, where only operators reach them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from prometheus_client import generate_latest

from ingest.process.worker_metrics import WorkerMetrics
from runtime.http import admin_server
from sori.errors import PrerequisiteError
from sori.settings.ingest import IngestSettings

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def admin(
    ours: IngestSettings, worker_metrics: WorkerMetrics | None, ready: Callable[[], Mapping[str, str]]
) -> AsyncIterator[int]:
    """Serve it while the block runs; yields the port, 0 when there is none.

    Workers share it as they share the webhook port: whichever is asked answers for all. A port that is taken is an
    error in the log and no reason to refuse webhooks.
    """

    async def readiness() -> Mapping[str, str]:
        return ready()

    async def page() -> bytes:
        return generate_latest() if worker_metrics is None else await worker_metrics.page()

    async with AsyncExitStack() as stack:
        try:
            port = await stack.enter_async_context(
                admin_server(ours.admin_host, ours.admin_port, readiness, page, reuse_port=worker_metrics is not None)
            )
        except PrerequisiteError as error:
            _log.error("no_admin_port", error=error.message, remedy="free it, or set SORI_INGEST__ADMIN_PORT")
            port = 0
        yield port
