"""`sori up`."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cli.local.pipeline import LocalPipeline


def up(
    *,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", show_default=False)] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where Kafka, ClickHouse and the spool keep files. Default: .sori.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the webhook URL; 0 picks a free one.", show_default=False),
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the query API; 0 picks a free one.", show_default=False),
    ] = None,
    broker_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the embedded Kafka; 0 picks a free one.", show_default=False),
    ] = None,
) -> None:
    """Run the whole pipeline on this machine: Kafka, ClickHouse and every stage, until Ctrl-C or SIGTERM.

    A stage or broker that dies is restarted with backoff, and the log says so. Stopping goes in order, so that
    nothing is lost; whatever was not processed yet is processed after the next start.

    Set SORI_INGEST__SECRET_KEYS to SORI's secret key. Without it a secret is made, kept in the data directory and
    printed; `sori sign` and `sori simulate` find it there. SORI_INGEST__UNSIGNED=true takes events from anyone who
    knows the URL, and stores them with verified=0.

    A terminal shows warnings and errors only; SORI_LOG__LEVEL=info shows all, and so does a pipe or a file.
    """
    from cli.local.environment import log_for
    from cli.local.pipeline import LocalPipeline
    from cli.shared.say import say
    from runtime.telemetry.logging import configure_logging
    from sori.settings import load_settings

    overrides: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    for group, value in (("ingest", port), ("api", api_port), ("broker", broker_port)):
        if value is not None:
            overrides[group] = {"port": value}
    in_terminal = sys.stderr.isatty()
    overrides["log"] = log_for(load_settings(config, **overrides).log, in_terminal=in_terminal)
    pipeline = LocalPipeline.resolve(config, overrides)
    if in_terminal:
        pipeline.tell = partial(say, err=True)
    configure_logging(pipeline.settings.log, stage="up")
    asyncio.run(_run(pipeline))


async def _run(pipeline: LocalPipeline) -> None:
    from cli.local.welcome import welcome
    from cli.shared.say import say
    from runtime.process.signals import stop_event

    with stop_event() as stop:
        try:
            if await _started(pipeline, stop):
                say(welcome(pipeline), lines=True)
                await stop.wait()
        finally:
            await pipeline.stop()


async def _started(pipeline: LocalPipeline, stop: asyncio.Event) -> bool:
    """Start, unless a signal comes first: then False. Raises what the start raised."""
    starting, stopping = asyncio.create_task(pipeline.start()), asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        stopping.cancel()
        await starting
        return True
    starting.cancel()
    await asyncio.wait({starting})
    return False
