"""`sori ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sori.settings import load_settings


def ingest(
    *,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", dir_okay=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=0, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="Processes sharing the port.", min=1)] = None,
) -> None:
    """Receive SORI's webhooks: verify, validate, store in Kafka, then answer 200.

    A 200 means stored: acknowledged by all in-sync replicas, or fsynced to the local spool while Kafka is away.
    SIGTERM drains; SIGHUP reads the endpoints file again.
    """
    import uvloop

    from ingest.app import serve
    from runtime.logging import configure_logging

    given: dict[str, Any] = {"host": host, "port": port, "workers": workers}
    settings = load_settings(config, ingest={name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log, stage="ingest")
    uvloop.run(serve(settings))
