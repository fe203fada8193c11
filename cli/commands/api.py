"""`sori api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, settings_of

if TYPE_CHECKING:
    from sori.settings import Settings


def api(
    *,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.", show_default=False),
    ] = None,
) -> None:
    """Serve the read side over HTTP: queries, click-through rates, alerts.

    With an embedded engine, `sori sinks --with-api` does the same beside the sinks: one process can hold the data.
    """
    import uvloop

    from runtime.telemetry.logging import configure_logging

    given = {"host": host, "port": port}
    settings = settings_of(config, data_dir, api={name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log, stage="api")
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    from api.service import serving
    from cli.shared.quarantine_replay import replayer
    from cli.shared.rule_cards import cards
    from runtime.kafka.rights_check import tell_lacking_rights
    from runtime.process.signals import stop_event
    from sori.rights import rights_of

    await tell_lacking_rights(settings.kafka.of("api"), rights_of("api", settings))
    with stop_event() as stop:
        async with serving(settings.as_stage("api"), card_of=cards(settings), replay=replayer(settings)):
            await stop.wait()
