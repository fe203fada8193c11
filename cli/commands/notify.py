"""`sori notify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sori.settings import load_settings

if TYPE_CHECKING:
    from sori.settings import Settings


def notify(
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)] = None,
) -> None:
    """Deliver fraud alerts to their subscribers, as signed webhooks (Standard Webhooks 1.0.0).

    Subscribers are managed with `sori subscribers`. Where each one stands is kept in Kafka: after a crash the last
    moments' deliveries are repeated with the same webhook-id, and none is lost. Run one process.
    """
    import uvloop

    from runtime.telemetry.logging import configure_logging

    settings = load_settings(config).as_stage("notify")
    configure_logging(settings.log, stage="notify")
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    from notify.service import NotifyService
    from runtime.http import admin_server
    from runtime.kafka.rights_check import tell_lacking_rights
    from runtime.process.signals import stop_event
    from sori.rights import rights_of

    service = NotifyService(settings)
    await tell_lacking_rights(settings.kafka, rights_of("notify", settings))
    admin = settings.notify
    with stop_event() as stop:
        async with admin_server(admin.admin_host, admin.admin_port, service.readiness):
            await service.run(stop)
