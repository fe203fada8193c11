"""`sori alerts`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
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


def alerts(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and print alerts as they change.")] = False,
    since: SinceOption = None,
    state: Annotated[list[str] | None, many("state: opened, updated, closed, withdrawn, or open (not over)")] = None,
    rule: Annotated[list[str] | None, many("rule, such as fast_click")] = None,
    severity: SeveritiesOption = None,
    place: PlacesOption = None,
    campaign: CampaignsOption = None,
    account: AccountsOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most alerts shown.")] = 50,
    wide: WideOption = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show fraud alerts, latest change first; `sori explain ID` tells the story of one.

    Example: `sori alerts --state open --severity critical --since 1h`
    """
    from api.alerts.filters import asked_filter
    from cli.shared import asked_routes
    from cli.shared.terminal import Terminal

    wanted = {"account": account, "rule": rule, "severity": severity, "place": place, "campaign": campaign}
    wanted["state"] = state
    asked_filter(wanted)  # refuses what is not known before anybody is asked
    console = Terminal()
    seen: dict[str, Any] = {}
    first, asked = moment(since), False
    while True:
        # opened anew each time: with --follow the process that holds the data may come and go
        with asking(config, data_dir, api_port, token, quiet=asked) as engine:
            found = asked_routes.alerts(engine, wanted, first, limit)
        asked = True
        changed = [row for row in found if seen.get(row["alert_id"]) != row["updated_at"] + row["state"]]
        seen |= {row["alert_id"]: row["updated_at"] + row["state"] for row in changed}
        if as_json:
            say_json_lines(changed)
        elif changed:
            show(console, changed, wide=wide)
        elif not follow:
            console.print("no alerts")
        if not follow:
            return
        time.sleep(1.0)


def show(console: Console, found: list[dict[str, Any]], *, wide: bool = False) -> None:
    """Print alerts as a table; text from outside is shown as it is, even where it looks like markup."""
    from sori.alerting.story import expected_count, whole

    # the date only where not all are of one day
    one_day = len({row["opened_at"][:10] for row in found}) == 1
    opened = [row["opened_at"][11 if one_day else 0 : 19] for row in found]
    columns = (
        Column("id", shortened([row["alert_id"] for row in found])),
        Column("opened", opened),
        Column("state", [row["state"] for row in found]),
        Column("severity", severities(found)),
        Column("rule", [row["rule"] for row in found], folds=True),
        Column("account", [row["account_id"] for row in found], rank=2, folds=True),
        Column("subject", [f"{row['subject_kind']} {row['subject']}" for row in found], folds=True),
        Column("observed", [whole(row["observed"]) for row in found], rank=1, justify="right"),
        Column("expected", [expected_count(row["expected"]) for row in found], rank=3, justify="right"),
        Column("lasted", [str(_lasted(row)) for row in found], rank=4, justify="right"),
    )
    title = f"Opened on {found[0]['opened_at'][:10]} (UTC)" if one_day else None
    show_columns(console, columns, title, wide=wide)


def _lasted(row: dict[str, Any]) -> timedelta:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)

    return at(row["closed_at"] or row["updated_at"]) - at(row["opened_at"])
