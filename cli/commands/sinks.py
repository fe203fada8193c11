"""`sori sinks`: the one place where sinks and api meet, because one process must hold a chDB path."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, settings_of

if TYPE_CHECKING:
    from sori.settings import Settings


def sinks(
    *,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    with_api: Annotated[
        bool, typer.Option("--with-api", help="Serve the read side in this process; needed with an embedded engine.")
    ] = False,
    api_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the read side.", show_default=False)
    ] = None,
) -> None:
    """Carry every topic into ClickHouse: raw events, windows, alerts, late and quarantined records.

    Offsets are committed after the insert; a repeated insert is recognised by its token and counts once. While
    ClickHouse is down, consumption pauses and nothing is lost.
    """
    import uvloop

    from runtime.telemetry.logging import configure_logging

    settings = settings_of(config, data_dir, api={} if api_port is None else {"port": api_port})
    configure_logging(settings.log, stage="sinks")
    uvloop.run(_run(settings, with_api=with_api))


async def _run(settings: Settings, *, with_api: bool) -> None:
    from api.service import serving
    from cli.shared.maintenance import run_here
    from cli.shared.quarantine_replay import replayer
    from cli.shared.rule_cards import cards
    from runtime.http import admin_server
    from runtime.kafka.rights_check import tell_lacking_rights
    from runtime.process.signals import stop_event
    from sinks.service import SinkService
    from sori.rights import rights_of

    service = SinkService(settings.as_stage("sinks"))
    await tell_lacking_rights(settings.kafka.of("sinks"), rights_of("sinks", settings))
    with stop_event() as stop:
        async with AsyncExitStack() as stack:
            admin = settings.sinks
            await stack.enter_async_context(admin_server(admin.admin_host, admin.admin_port, service.readiness))
            if with_api:
                # the schema first: whoever asks should find the views
                await service.prepare(stop)
                run_task = partial(run_here, settings.as_stage("admin"))
                reading = settings.as_stage("api")
                served = serving(reading, service.readiness, run_task, cards(settings), replayer(settings))
                await stack.enter_async_context(served)
            await service.run(stop)
