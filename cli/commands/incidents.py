"""`sori incidents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.case_cells import severities, shortened
from cli.shared.columns import Column, WideOption, show_columns
from cli.shared.query_options import (
    AccountsOption,
    ApiPortOption,
    CampaignsOption,
    ConfigOption,
    DataDirOption,
    DevicesOption,
    JsonOption,
    PlacesOption,
    SeveritiesOption,
    SinceOption,
    TokenOption,
    asking,
    many,
    moment,
)
from cli.shared.say import say_json_lines

if TYPE_CHECKING:
    from rich.console import Console


def incidents(
    *,
    since: SinceOption = None,
    state: Annotated[list[str] | None, many("state: open, closed or withdrawn")] = None,
    rule: Annotated[list[str] | None, many("rule of any of its alerts")] = None,
    severity: SeveritiesOption = None,
    place: PlacesOption = None,
    campaign: CampaignsOption = None,
    device: DevicesOption = None,
    account: AccountsOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most incidents shown.")] = 50,
    wide: WideOption = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show incidents, latest change first: alerts of one account about one thing; `sori explain ID` tells one.

    Example: `sori incidents --state open`
    """
    from api.alerts.incident_sql import wanted_of
    from cli.shared import asked_routes
    from cli.shared.terminal import Terminal

    wanted = {"account": account, "rule": rule, "severity": severity, "place": place, "campaign": campaign}
    wanted |= {"device": device, "state": state}
    wanted_of(wanted)  # refuses what is not known before anybody is asked
    with asking(config, data_dir, api_port, token) as engine:
        found = asked_routes.incidents(engine, wanted, moment(since), limit)
    if as_json:
        say_json_lines(found)
    elif found:
        show(Terminal(), found, wide=wide)
    else:
        Terminal().print("no incidents")


def show(console: Console, found: list[dict[str, Any]], *, wide: bool = False) -> None:
    """Print incidents as a table; text from outside is shown as it is, even where it looks like markup."""
    columns = (
        Column("id", shortened([row["incident_id"] for row in found])),
        Column("opened (UTC)", [row["opened_at"].replace("T", " ")[:19] for row in found]),
        Column("state", [row["state"] for row in found]),
        Column("severity", severities(found)),
        Column("account", [row["account_id"] for row in found], rank=1, folds=True),
        Column("alerts", [str(row["alert_count"]) for row in found], rank=2, justify="right"),
        Column("story", [row["story"] for row in found], folds=True),
    )
    show_columns(console, columns, None, wide=wide)
