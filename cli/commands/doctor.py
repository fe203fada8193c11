"""`sori doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sori.settings import Settings, load_settings

if TYPE_CHECKING:
    from cli.doctor.check import Check


def doctor(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).", show_default=False)] = None,
) -> None:
    """Check that this machine has all that `sori up` and `sori demo` need, and say how to mend what is missing.

    Exit code: 0 when everything is there, 1 otherwise.
    """
    from rich.table import Table

    from cli.shared.terminal import Terminal, joined, styled

    checks = list(examine(load_settings(config)))
    table = Table("", "what", "found")
    for check in checks:
        table.add_row(styled("green", "ok") if check.ok else styled("red", "no"), check.name, check.detail)
    console = Terminal()
    console.print(table)
    failed = [check for check in checks if not check.ok]
    for check in failed:
        console.print(joined(styled("red", check.name), f": {check.remedy}"), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, in the order in which a missing piece would hurt."""
    from cli.doctor import engines, machine

    yield machine.python_version()
    yield machine.packages()
    yield from engines.kafka(settings)
    yield engines.chdb()
    yield machine.disk(settings.data_dir)
    yield from machine.ports(settings)
