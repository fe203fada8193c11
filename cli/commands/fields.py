"""`sori fields`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.shared.columns import Column, WideOption, show_columns
from cli.shared.query_options import (
    AccountOption,
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    JsonOption,
    SinceOption,
    TokenOption,
    asking,
    moment,
)
from cli.shared.say import say, say_json_lines


def fields(
    *,
    since: SinceOption = None,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most fields shown.")] = 100,
    wide: WideOption = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the fields of events that no column has, newest first: what SORI added, and how to ask for it.

    The sinks look at a sample of what arrives (sinks.fields_interval_s, sinks.fields_sample). share: how many events of
    that kind had the field then; --since: first seen since. Every body is kept, so the field can be asked for in older
    events, too: run the printed query with `sori query`.
    """
    from api.query.engine import rows
    from api.query.fields_sql import as_field, asking_sql, unknown_fields_sql
    from cli.shared.terminal import Terminal

    with asking(config, data_dir, api_port, token) as engine:
        found = rows(engine, unknown_fields_sql(moment(since), account, limit))
    if as_json:
        say_json_lines(map(as_field, found))
    elif not found:
        say("no fields but those that columns have")
    else:
        _show(Terminal(), found, wide=wide)
        say(f"ask for the first: {asking_sql(found[0])}")


def _show(console: Any, found: list[dict[str, Any]], *, wide: bool) -> None:
    columns = [
        Column("field", [row["field"] for row in found], folds=True),
        Column("event", [row["event"] for row in found]),
        Column("account", [row["account_id"] for row in found], rank=1),
        Column("share", [f"{row['share']:.0%}" for row in found], rank=2, justify="right"),
        Column("first seen", [row["first_seen"] for row in found]),
        Column("last seen", [row["last_seen"] for row in found], rank=3),
        Column("sample", [row["sample"] or "-" for row in found], rank=4, folds=True),
    ]
    show_columns(console, columns, wide=wide)
