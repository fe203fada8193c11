"""`sori ingest`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.shared.checked import checked
from cli.shared.query_options import ConfigOption
from cli.shared.say import say
from cli.shared.signing import signing_secret
from sori.settings import Settings, load_settings, settings_files

app = typer.Typer(invoke_without_command=True)


@app.callback()
@checked
def ingest(
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", dir_okay=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes sharing the port, each on its own core.", min=1)
    ] = None,
    worker: Annotated[str, typer.Option(hidden=True)] = "",
    run_dir: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Receive SORI's webhooks: verify, validate, store in Kafka, then answer 200.

    A 200 means stored: acknowledged by all in-sync replicas, or fsynced to the local spool while Kafka is away.
    SIGTERM drains; SIGHUP reads the endpoints file and the certificate again.

    The endpoint /webhooks/sori takes its secrets from SORI_INGEST__SECRET_KEYS, or from the file that
    SORI_INGEST__SECRET_KEYS_FILE names. More endpoints, each with its own path, accounts and secrets, stand in a TOML
    file that SORI_INGEST__ENDPOINTS_FILE names: an array of tables "endpoint" with name, path, accounts, app_id,
    secrets, secret_files, or unsigned = true. Without any secret it does not start, unless SORI_INGEST__UNSIGNED=true
    says that events are taken from anyone who knows the URL.
    """
    if context.invoked_subcommand is not None:
        return
    import uvloop

    from ingest.admission.endpoints import load_endpoints
    from ingest.app import serve
    from ingest.process.workers import run_workers
    from ingest.wiring import Source, WorkerFolder
    from runtime.telemetry.logging import configure_logging

    given = {
        name: value for name, value in {"host": host, "port": port, "workers": workers}.items() if value is not None
    }

    def read() -> Settings:
        return load_settings(config, ingest=given).as_stage("ingest")

    settings = read()
    configure_logging(settings.log, stage=f"ingest/{worker}" if worker else "ingest")
    if settings.ingest.workers == 1 or run_dir is not None:
        place = None if run_dir is None else WorkerFolder(worker, run_dir)
        source = Source(read, settings_files(config, "ingest"))
        uvloop.run(serve(settings, source, place))
        return

    load_endpoints(settings.ingest)  # what is wrong is told once, before any worker starts

    def command(real_port: int, name: str, folder: Path) -> list[str]:
        options = {"--host": settings.ingest.host, "--port": real_port, "--worker": name, "--run-dir": folder}
        words = [str(word) for pair in options.items() for word in pair]
        return [sys.executable, "-m", "cli.main", "ingest", *(["--config", str(config)] if config else []), *words]

    uvloop.run(run_workers(settings.ingest, command))


@app.command("check")
def check(
    url: Annotated[str, typer.Argument(help="The webhook URL as it stands in the SORI Console.")],
    *,
    secret: Annotated[
        str | None, typer.Option(help="Secret key; default: as `sori sign` finds it.", show_default=False)
    ] = None,
    account: Annotated[str, typer.Option(help="Account that the check speaks for.")] = "acc_check",
    verify_tls: Annotated[bool, typer.Option(help="Check the certificate of an https URL.")] = True,
    config: ConfigOption = None,
) -> None:
    """Send signed checks to URL in the common variants, and say what each answer means. Nothing is stored.

    A check is an event named sori.check: the ingress judges it like any other and answers 422 where it would be taken.
    Exit code 1 when an answer is not as it should be: a right signature is refused, or a wrong one is taken.
    """
    import asyncio
    from datetime import UTC, datetime

    from rich.table import Table

    from cli.ingest_check.explain import explain
    from cli.ingest_check.send import send
    from cli.ingest_check.variants import check_body, variants
    from cli.shared.terminal import Terminal, styled

    key = signing_secret(load_settings(config)) if secret is None else secret
    body = check_body(account, datetime.now(UTC).isoformat(timespec="milliseconds"))
    table, bad = Table("sent", "answer", "what it means"), 0

    async def run() -> None:
        nonlocal bad
        async for variant, status, problem in send(url, variants(body, key), verify_tls=verify_tls):
            verdict = explain(variant, status, problem)
            bad += not verdict.good
            colour = "green" if verdict.good else "red"
            table.add_row(variant.name, str(status or "-"), styled(colour, verdict.meaning))

    asyncio.run(run())
    Terminal().print(table)
    if not key:
        say("no secret is known here, so only an unsigned check was sent: give --secret")
    if bad:
        raise typer.Exit(1)
