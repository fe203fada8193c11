"""`--workers N`: N processes on one port, each restarted when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.process.signals import stop_event
from runtime.process.supervisor import ProcessChild, Supervisor
from sori.errors import PrerequisiteError
from sori.settings.ingest import IngestSettings

_log = structlog.get_logger(__name__)

#: (port, worker name, folder of the workers' sockets) -> command line of that worker.
Command = Callable[[int, str, Path], Sequence[str]]


async def run_workers(settings: IngestSettings, command: Command) -> None:
    """Keep `settings.workers` processes running until SIGTERM, then drain them all. Raises PrerequisiteError.

    SIGHUP is passed on. The kernel spreads connections over the workers (SO_REUSEPORT).
    """
    with closing(_reserve(settings)) as reserved, tempfile.TemporaryDirectory(prefix="sori-") as folder:
        port = reserved.getsockname()[1]
        supervisor = Supervisor()
        with stop_event() as stop:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _pass_on, supervisor)
            for index in range(settings.workers):
                child = ProcessChild(command(port, f"worker-{index}", Path(folder)))
                await supervisor.start(f"worker-{index}", child, Backoff(0.2, 5.0))
            _log.info("workers_started", workers=settings.workers, host=settings.host, port=port)
            await stop.wait()
        await asyncio.gather(*(supervisor.stop(name, settings.drain_s + 5) for name in supervisor.children))


def _pass_on(supervisor: Supervisor) -> None:
    for child in supervisor.children.values():
        if (pid := child.runnable.pid) is not None:
            os.kill(pid, signal.SIGHUP)


def _reserve(settings: IngestSettings) -> socket.socket:
    """A bound socket that does not listen: it holds the port, also one picked by the kernel, and gets no connection."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        held.bind((settings.host, settings.port))
    except OSError as error:
        held.close()
        raise PrerequisiteError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            "Free the port or choose another with --port (SORI_INGEST__PORT).",
        ) from error
    return held
