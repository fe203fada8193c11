"""`sori ctr`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.columns import Column, WideOption, show_columns
from cli.shared.query_options import (
    AccountOption,
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    SinceOption,
    TokenOption,
    asking,
    moment,
)

if TYPE_CHECKING:
    from rich.console import Console


#: What gives way on a narrow terminal, the highest first.
_RANKS = {"country": 5, "region": 4, "account_id": 3}


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
    wide: WideOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show click-through rates with their 95 % interval, most impressions first.

    The interval is Wilson's: where it is wide, the rate says little yet.
    """
    from api.query import ctr_sql
    from api.query.engine import rows
    from cli.shared.terminal import Terminal

    with asking(config, data_dir, api_port, token) as engine:
        found = rows(engine, ctr_sql.ctr(by.value, since=moment(since), account=account, limit=limit))
    show(Terminal(), by, found, wide=wide)


def show(console: Console, by: By, found: list[dict[str, Any]], *, wide: bool = False) -> None:
    """Print rates as a table; names from outside are shown as they are, even where they look like markup."""
    if not found:
        console.print(f"no impressions or clicks per {by.value} yet")
        return
    measures = ("impressions", "clicks", "ctr", "ctr_low", "ctr_high")
    names = [name for name in found[0] if name not in measures]
    columns = [
        Column(
            name.removesuffix("_id"),
            [str(row[name]) or "-" for row in found],
            rank=_RANKS.get(name, 0) if len(names) > 1 else 0,
            folds=True,
        )
        for name in names
    ]
    intervals = [f"{float(row['ctr_low']):.2%} to {float(row['ctr_high']):.2%}" for row in found]
    columns += [
        Column("impressions", [f"{int(row['impressions']):,}" for row in found], rank=1, justify="right"),
        Column("clicks", [f"{int(row['clicks']):,}" for row in found], rank=2, justify="right"),
        Column("CTR", [f"{float(row['ctr']):.2%}" for row in found], justify="right"),
        Column("95 % interval", intervals, justify="right"),
    ]
    show_columns(console, columns, f"Click-through rate by {by.value}", wide=wide)
