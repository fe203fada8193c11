"""`sori demo`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sori.settings.catalogue import PREFIX

if TYPE_CHECKING:
    from rich.console import Console

    from cli.demo.run import Traffic
    from cli.demo.verdict import Verdict


def demo(
    *,
    duration: Annotated[float, typer.Option(min=10.0, help="Seconds of traffic.")] = 60.0,
    rate: Annotated[float, typer.Option(min=1.0, help="Events per second on average, attacks included.")] = 200.0,
    seed: Annotated[int, typer.Option(help="Which traffic: the same seed plans the same events.")] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write the figures of the summary here (JSON).", show_default=False)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder with data and logs.")] = False,
) -> None:
    """See everything work: the whole pipeline in a temporary folder, with traffic whose truth is known.

    Starts Kafka, ClickHouse and every stage on free ports, then acts as SORI: signed webhooks, an aired spot with its
    crowd, a click flood by one device and one by a city. Shows rates, CTR and alerts as they come. At the end it
    compares: is every accepted event stored, does every CTR window agree with the raw events, was every attack
    alerted and nothing else?

    SORI_ variables are ignored, except SORI_LOG__: a demo never touches your Kafka or ClickHouse.

    Exit code: 0 when all of that holds, 1 when something was missed, 130 after Ctrl-C.
    """
    from cli.demo.run import Traffic
    from cli.shared.terminal import Terminal
    from runtime.telemetry.logging import configure_logging
    from sori.settings import load_settings

    for name in [name for name in os.environ if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}LOG__")]:
        del os.environ[name]
    log_settings = load_settings().log
    configure_logging(log_settings.model_copy(update={"level": "warning"}), stage="demo")
    console = Terminal()
    folder = Path(tempfile.mkdtemp(prefix="sori-demo-"))
    passed = False
    try:
        verdict = asyncio.run(_run(folder, Traffic(duration, rate, seed), console))
        if verdict is None:
            raise typer.Exit(130)
        if report is not None:
            report.write_text(json.dumps(verdict.report(), indent=2) + "\n", encoding="utf-8")
        _print(verdict, console)
        passed = not verdict.misses
    finally:
        if passed and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            console.print(f"data and logs are kept in {folder}", soft_wrap=True)
    if not passed:
        raise typer.Exit(1)


async def _run(folder: Path, traffic: Traffic, console: Console) -> Verdict | None:
    """The verdict, or None when a signal came first."""
    from cli.demo.run import run
    from cli.local.pipeline import LocalPipeline
    from runtime.process.signals import stop_event

    overrides = {
        "data_dir": folder,
        "broker": {"port": 0},
        "api": {"port": 0},
        "ingest": {"port": 0, "admin_port": 0},
        "streams": {"admin_port": 0},
        "sinks": {"admin_port": 0},
        "notify": {"admin_port": 0},
    }
    pipeline = LocalPipeline.resolve(None, overrides, logs=folder / "logs")
    with stop_event() as stop:
        running, stopping = (
            asyncio.create_task(run(pipeline, traffic, folder, console)),
            asyncio.create_task(stop.wait()),
        )
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            stopping.cancel()
            return running.result()
        running.cancel()
        await asyncio.wait({running})
        return None


def _print(verdict: Verdict, console: Console) -> None:
    from rich.table import Table

    from cli.demo.run import summary_rows
    from cli.shared.terminal import joined, styled

    table = Table("", "", show_header=False, title="Reconciliation", title_justify="left")
    for row in summary_rows(verdict):
        table.add_row(*row)
    console.print(table)
    for attack in verdict.attacks:
        mark = styled("red", "missed") if attack in verdict.undetected else styled("green", "alerted")
        whom = f"{attack.subject.account_id} {attack.subject.value}"
        console.print(joined(mark, f"  {attack.rule}  {whom}"), soft_wrap=True)
    for miss in verdict.misses:
        console.print(joined(styled("red", "miss:"), f" {miss}"), soft_wrap=True)
    if not verdict.misses:
        console.print(
            styled("green", "Every accepted event is stored and counted once; every attack was alerted, no one else.")
        )
        console.print("One attack raises an alert by each rule that it breaks. Next: `make up`, or `sori up`.")
