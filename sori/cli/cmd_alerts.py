"""`sori alerts`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sori.cli.asking import AccountOption, ApiPortOption, ConfigOption, DataDirOption, SinceOption, asking, moment

if TYPE_CHECKING:
    from rich.table import Table

_COLOURS = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bold red"}


def alerts(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and print alerts as they change.")] = False,
    since: SinceOption = None,
    state: Annotated[str | None, typer.Option(help="Only opened, updated or closed.", show_default=False)] = None,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most alerts shown.")] = 50,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    config: ConfigOption = None,
) -> None:
    """Show fraud alerts, latest change first."""
    from rich.console import Console

    from api import questions
    from api.engine import rows

    console = Console()
    seen: dict[str, Any] = {}
    first = moment(since)
    while True:
        # opened anew each time: with --follow the process that holds the data may come and go
        with asking(config, data_dir, api_port) as engine:
            found = rows(engine, questions.alerts(since=first, state=state, account=account, limit=limit))
        changed = [row for row in found if seen.get(row["alert_id"]) != row["updated_at"] + row["state"]]
        seen |= {row["alert_id"]: row["updated_at"] + row["state"] for row in changed}
        if changed:
            console.print(_table(changed))
        elif not follow:
            console.print("no alerts")
        if not follow:
            return
        time.sleep(1.0)


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table()
    for name in ("opened", "state", "severity", "rule", "account", "subject", "observed", "expected", "lasted"):
        table.add_column(name, justify="right" if name in ("observed", "expected", "lasted") else "left")
    for row in found:
        colour = _COLOURS.get(row["severity"], "white")
        table.add_row(
            row["opened_at"][:19],
            row["state"],
            f"[{colour}]{row['severity']}[/]",
            row["rule"],
            row["account_id"],
            f"{row['subject_kind']} {row['subject']}",
            f"{row['observed']:g}",
            f"{row['expected']:.3g}",
            str(_lasted(row)),
        )
    return table


def _lasted(row: dict[str, Any]) -> timedelta:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC, microsecond=0)

    return at(row["closed_at"] or row["updated_at"]) - at(row["opened_at"])
