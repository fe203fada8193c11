"""`sori streams`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from sori.settings import load_settings


def streams(
    *,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", dir_okay=False)] = None,
) -> None:
    """Compute windowed click-through rates and fraud alerts: Kafka in, Kafka out.

    Start as many as the events topic has partitions; they share the work. A worker that dies loses nothing: whoever
    takes over its partitions re-reads what their state needs and goes on from the last commit, exactly.
    """
    import asyncio

    import uvloop

    from runtime.process.signals import stop_event
    from runtime.telemetry.logging import configure_logging
    from streams.app import run
    from streams.wiring import hops

    settings = load_settings(config).as_stage("streams")
    configure_logging(settings.log, stage="streams")
    hops(settings)  # settings that do not fit are told before anything starts

    async def main() -> None:
        code = 1
        try:
            with stop_event() as stop:
                code = await run(settings, stop)
        except Exception:  # noqa: BLE001 - logged, and the process must end whatever it was
            structlog.get_logger(__name__).exception("streams_failed")
        # Faust leaves threads and tasks behind that would keep a dead worker in its group, and may swallow the
        # cancellation that the end of the loop sends them. Nothing is lost: all is committed, or will be replayed.
        sys.stderr.flush()
        os._exit(code)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
