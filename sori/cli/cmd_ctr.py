"""`sori ctr`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from sori.cli.asking import AccountOption, ApiPortOption, ConfigOption, DataDirOption, SinceOption, asking, moment


class By(StrEnum):
    """What click-through rates are grouped by."""

    CAMPAIGN = "campaign"
    PLACE = "place"
    DEVICE = "device"
    PLATFORM = "platform"


def ctr(
    *,
    by: Annotated[By, typer.Option(help="Group by this.")] = By.CAMPAIGN,
    since: SinceOption = None,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows shown.")] = 20,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    config: ConfigOption = None,
) -> None:
    """Show click-through rates with their 95 % interval, most impressions first.

    The interval is Wilson's: where it is wide, the rate says little yet.
    """
    from api import questions
    from api.engine import rows

    with asking(config, data_dir, api_port) as engine:
        found = rows(engine, questions.ctr(by.value, since=moment(since), account=account, limit=limit))
    _show(by, found)


def _show(by: By, found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not found:
        Console().print(f"no impressions or clicks per {by.value} yet")
        return
    measures = ("impressions", "clicks", "ctr", "ctr_low", "ctr_high")
    table = Table(title=f"Click-through rate by {by.value}", title_justify="left")
    names = [name for name in found[0] if name not in measures]
    for name in names:
        table.add_column(name.removesuffix("_id"))
    for name in ("impressions", "clicks", "CTR", "95 % interval"):
        table.add_column(name, justify="right")
    for row in found:
        interval = f"{float(row['ctr_low']):.2%} to {float(row['ctr_high']):.2%}"
        counts = [f"{int(row['impressions']):,}", f"{int(row['clicks']):,}", f"{float(row['ctr']):.2%}", interval]
        table.add_row(*[str(row[name]) or "-" for name in names], *counts)
    Console().print(table)
