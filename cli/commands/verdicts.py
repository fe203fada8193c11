"""`sori verdict` and `sori verdicts`: what an analyst says of alerts and incidents, and what that lets pass."""

from __future__ import annotations

import getpass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.kafka_tables import BootstrapOption, now_ms, settings_for, with_table
from cli.shared.query_options import (
    AccountsOption,
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    JsonOption,
    TokenOption,
    asking,
)
from cli.shared.say import say, say_json
from sori.errors import ConfigError
from sori.suggest import none_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sori.alerting.verdict import Verdict
    from sori.alerting.verdict_index import VerdictIndex

WORDS = ("false-positive", "confirmed", "withdraw")


def verdict(
    target: Annotated[
        str,
        typer.Argument(help="Id of the alert or incident, or how it begins."),
    ],
    what: Annotated[str, typer.Argument(metavar="VERDICT", help="false-positive, confirmed, or withdraw.")],
    *,
    note: Annotated[str, typer.Option(help="Why; up to 2000 characters.")] = "",
    by: Annotated[str, typer.Option(help="Who says so. Default: your name on this machine.", show_default=False)] = "",
    allow: Annotated[
        bool, typer.Option("--allow", help="Of a false positive: let its rule open no more alerts about its subject.")
    ] = False,
    all_rules: Annotated[bool, typer.Option("--all-rules", help="With --allow: no rule at all.")] = False,
    until: Annotated[
        str | None,
        typer.Option(help="Until when it allows, event time: 7d, 12h from now, or ISO 8601.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
) -> None:
    """Judge an alert or an incident, for the record and for `sori backtest`; a later verdict on it replaces this one.

    With --allow the running workers let it pass within seconds: its alert closes, and none opens anew. Of an incident:
    each alert's rule lets pass whom that alert accuses, at most 1,000 in all.

    Example: `sori verdict 6f2c91d0 false-positive --note "our test rack" --allow --until 30d`
    """
    from api.verdicts.making import Judge
    from cli.shared import verdict_routes

    if what not in WORDS:
        raise ConfigError(none_of("verdict", what, WORDS))
    who, tables = by or _me(), partial(_write, config, bootstrap, data_dir)
    with asking(config, data_dir, api_port, token) as engine:
        if what == "withdraw":
            found = verdict_routes.withdraw(engine, target, who, tables, now_ms())
        else:
            said = Judge(
                target=target,
                verdict="confirmed" if what == "confirmed" else "false_positive",
                note=note,
                by=who,
                until=_until(until),
                allow=allow,
                all_rules=all_rules,
            )
            found = verdict_routes.judge(engine, said, tables, now_ms())
    if as_json:
        say_json(found)
    else:
        say(_told(found))


def verdicts(
    *,
    account: AccountsOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the verdicts in force, latest first, and whom they let pass.

    Example: `sori verdicts --account acc_1 --json`
    """
    from rich.table import Table

    from cli.shared import verdict_routes
    from cli.shared.terminal import Terminal

    with asking(config, data_dir, api_port, token) as engine:
        found = verdict_routes.verdicts(engine, account or ())
    if as_json:
        for one in found:
            say_json(one)
        return
    table = Table("made", "on", "account", "verdict", "lets pass", "by", "note")
    for one in found:
        made, words = str(one["made_at"])[:16].replace("T", " "), one["verdict"].replace("_", " ")
        table.add_row(made, one["target"][:8], one["account_id"], words, _passes(one), one["by"], one["note"])
    Terminal().print(table if found else "no verdicts")


def _write(
    config: Path | None,
    bootstrap: str | None,
    data_dir: Path | None,
    change: Callable[[VerdictIndex], Verdict],
) -> Verdict:
    from cli.shared.verdict_routes import write
    from sori.alerting.verdict_index import VerdictIndex
    from sori.topics import VERDICTS

    settings = settings_for(config, bootstrap, data_dir)
    return with_table(settings, VERDICTS, lambda table: write(table, VerdictIndex(), change))


def _until(text: str | None) -> str | None:
    """ISO 8601; 30d is from now on. Raises QueryError."""
    from datetime import UTC, datetime

    from api.query.ctr_sql import parse_since
    from sori.times import epoch_ms, iso

    if text is None:
        return None
    now = datetime.now(UTC)
    at = parse_since(text, now)
    return iso(epoch_ms(now + (now - at) if text[-1:].isalpha() and text[:-1].isdigit() else at))


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _passes(one: Mapping[str, Any]) -> str:
    if not one["allow"]:
        return "-"
    allowed = one["allowed"]
    first, more = allowed[0], f" and {len(allowed) - 1} more" if len(allowed) > 1 else ""
    until = f" until {str(one['until'])[:16].replace('T', ' ')}" if one["until"] else ""
    return f"{first['rule'] or 'every rule'}, {first['subject_kind']} {first['subject']}{more}{until}"


def _told(one: Mapping[str, Any]) -> str:
    words = "withdrawn" if one.get("state") == "withdrawn" else one["verdict"].replace("_", " ")
    allows = f"; lets pass: {_passes(one)}" if one["allow"] and words != "withdrawn" else ""
    return f"{one['verdict_id']}: {one['target_kind']} {one['target']} is {words}{allows}"
