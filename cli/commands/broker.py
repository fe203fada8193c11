"""`sori broker`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.say import say
from sori.settings import load_settings

if TYPE_CHECKING:
    from sori.settings import Settings


def broker(
    *,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", show_default=False)] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Data directory; the broker uses its kafka folder. Default: .sori.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Client port on 127.0.0.1; 0 picks a free one.", show_default=False),
    ] = None,
    heap_mb: Annotated[int | None, typer.Option(min=128, help="JVM heap, megabytes.", show_default=False)] = None,
    fetch_only: Annotated[bool, typer.Option("--fetch-only", help="Fetch Kafka's jars if need be, and end.")] = False,
) -> None:
    """Run a real Apache Kafka on this machine, and stop it cleanly on Ctrl-C or SIGTERM.

    The first start fetches Kafka's jars with Maven (44 MB, cached per user) and formats the storage; acknowledged
    records survive crashes. Needs Java 17 or newer. Topics are not created here: see `sori topics apply`.

    Exit code: 0 after a stop that was asked for, 1 when Kafka ended by itself, 2 when something is missing.
    """
    from runtime.telemetry.logging import configure_logging

    given = {"port": port, "heap_mb": heap_mb}
    top = {} if data_dir is None else {"data_dir": data_dir}
    settings = load_settings(config, broker={name: value for name, value in given.items() if value is not None}, **top)
    configure_logging(settings.log, stage="broker")
    if fetch_only:
        from broker.jars import resolve_jars

        resolve_jars()
        return
    raise typer.Exit(asyncio.run(_run(settings)))


async def _run(settings: Settings) -> int:
    from broker.process import EmbeddedBroker
    from runtime.process.signals import stop_event

    with stop_event() as stop:
        kafka = EmbeddedBroker(
            settings.data_dir / "kafka",
            port=settings.broker.port,
            heap_mb=settings.broker.heap_mb,
            start_timeout_s=settings.broker.start_timeout_s,
        )
        async with kafka:
            say(kafka.bootstrap)
            stopping, ended = asyncio.create_task(stop.wait()), asyncio.create_task(kafka.wait())
            await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in (stopping, ended):
                task.cancel()
            return 0 if stop.is_set() else 1
