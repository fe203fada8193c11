"""`sori streams`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

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

    from runtime.logging import configure_logging
    from runtime.signals import stop_event
    from streams.app import run

    settings = load_settings(config)
    configure_logging(settings.log, stage="streams")

    async def main() -> int:
        with stop_event() as stop:
            return await run(settings, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(main())
    # Faust leaves threads of its own behind when its broker is gone; everything is committed or will be replayed.
    os._exit(code)
