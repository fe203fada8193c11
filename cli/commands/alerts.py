"""`sori alerts`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
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

_COLOURS = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}


def alerts(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and print alerts as they change.")] = False,
    since: SinceOption = None,
    state: Annotated[str | None, typer.Option(help="Only opened, updated or closed.", show_default=False)] = None,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most alerts shown.")] = 50,
    wide: WideOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show fraud alerts, latest change first; `sori explain ID` tells the story of one."""
    from api.query import ctr_sql
    from api.query.engine import rows
    from cli.shared.terminal import Terminal

    console = Terminal()
    seen: dict[str, Any] = {}
    first = moment(since)
    while True:
        # opened anew each time: with --follow the process that holds the data may come and go
        with asking(config, data_dir, api_port, token) as engine:
            found = rows(engine, ctr_sql.alerts(since=first, state=state, account=account, limit=limit))
        changed = [row for row in found if seen.get(row["alert_id"]) != row["updated_at"] + row["state"]]
        seen |= {row["alert_id"]: row["updated_at"] + row["state"] for row in changed}
        if changed:
            show(console, changed, wide=wide)
        elif not follow:
            console.print("no alerts")
        if not follow:
            return
        time.sleep(1.0)


def show(console: Console, found: list[dict[str, Any]], *, wide: bool = False) -> None:
    """Print alerts as a table; text from outside is shown as it is, even where it looks like markup."""
    from cli.shared.terminal import styled

    severities = [styled(_COLOURS.get(row["severity"], "white"), row["severity"]) for row in found]
    # the date only where not all are of one day
    one_day = len({row["opened_at"][:10] for row in found}) == 1
    opened = [row["opened_at"][11 if one_day else 0 : 19] for row in found]
    columns = (
        Column("opened", opened),
        Column("state", [row["state"] for row in found]),
        Column("severity", severities),
        Column("rule", [row["rule"] for row in found], folds=True),
        Column("account", [row["account_id"] for row in found], rank=2, folds=True),
        Column("subject", [f"{row['subject_kind']} {row['subject']}" for row in found], folds=True),
        Column("observed", [f"{row['observed']:g}" for row in found], rank=1, justify="right"),
        Column("expected", [f"{row['expected']:.3g}" for row in found], rank=3, justify="right"),
        Column("lasted", [str(_lasted(row)) for row in found], rank=4, justify="right"),
    )
    title = f"Opened on {found[0]['opened_at'][:10]} (UTC)" if one_day else None
    show_columns(console, columns, title, wide=wide)


def _lasted(row: dict[str, Any]) -> timedelta:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)

    return at(row["closed_at"] or row["updated_at"]) - at(row["opened_at"])
