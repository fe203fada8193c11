"""What `sori backtest` prints and writes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.shared.say import say_json
from cli.shared.terminal import styled
from sori.errors import ConfigError
from sori.settings.rules import RulesSettings
from sori.spreadsheet_cell import cell
from streams.backtest.compare import COLUMNS, STATUSES, Compared, counts, lines
from streams.backtest.rules_file import differences

_COLOURS = {"raised": "red", "kept": "", "dropped": "cyan"}


def show(console: Console, compared: list[Compared], variants: tuple[RulesSettings, ...], limit: int) -> None:
    """Differences of the rules, counts, and the first alerts that are not the same."""
    for name, here, there in differences(*variants):
        console.print(f"{name}: {here} -> {there}")
    for title, by in (("rule", "rule"), ("account", "account_id")):
        _show_counts(console, compared, title, by)
    _show_changes(console, [one for one in compared if one.status != "kept"], limit)


def show_json(compared: list[Compared]) -> None:
    """Every alert of both sides, a line each: `status` (raised, kept, dropped) and the columns of the CSV."""
    for line in lines(compared):
        say_json(line)


def write(path: Path, compared: list[Compared]) -> None:
    """Every alert of both sides, as CSV. Raises ConfigError where that cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer: csv.DictWriter[Any] = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows({name: cell(value) for name, value in line.items()} for line in lines(compared))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _show_counts(console: Console, compared: list[Compared], title: str, by: str) -> None:
    table = Table(title=f"Alerts by {title}", title_justify="left")
    table.add_column(title)
    for name in (*STATUSES, "now", "then"):
        table.add_column(name, justify="right")
    for key, found in counts(compared, by):
        now, then = found["kept"] + found["dropped"], found["kept"] + found["raised"]
        table.add_row(key, *(str(found[status]) for status in STATUSES), str(now), str(then))
    console.print(table)


def _show_changes(console: Console, changes: list[Compared], limit: int) -> None:
    if not changes:
        console.print("the new rules raise the alerts that the current ones raise")
        return
    table = Table("", "opened", "rule", "account", "subject", "severity", "observed", "floor", title_justify="left")
    for one in changes[:limit]:
        alert = one.alert
        subject = f"{alert['subject_kind']} {alert['subject']}"
        counted = (f"{alert['observed']:g}", f"{alert['floor']:g}")
        row = (alert["opened_at"][:19], alert["rule"], alert["account_id"], subject, alert["severity"])
        table.add_row(styled(_COLOURS[one.status], one.status), *row, *counted)
    if limit:
        console.print(table)
    if len(changes) > limit:
        console.print(f"{len(changes) - limit} more; --csv FILE has them all")
