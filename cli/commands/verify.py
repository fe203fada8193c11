"""`sori verify`."""

from __future__ import annotations

import typer

from cli.shared.query_options import (
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    JsonOption,
    SinceOption,
    TokenOption,
    UntilOption,
    asking,
    moment,
)
from cli.shared.say import say_json


def verify(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Count CTR windows again from the raw events and print every difference; exit 1 if there is one.

    While events flow, the newest windows differ for a moment: raw events and windows travel different ways.
    """
    from rich.table import Table

    from api.query.engine import rows
    from api.query.verification import DIMENSIONS
    from api.query.verification import verify as find_differences
    from cli.shared.terminal import Terminal

    with asking(config, data_dir, api_port, token) as engine:
        found = find_differences(lambda sql: rows(engine, sql), moment(since), moment(until))
    if as_json:
        for row in found:
            say_json(row)
        raise typer.Exit(1 if found else 0)
    console = Terminal()
    if not found:
        console.print("CTR windows and raw events agree")
        return
    table = Table(title="Windows that differ from the raw events (events / windows)", title_justify="left")
    for name in (*DIMENSIONS, "impressions", "clicks"):
        table.add_column(name.removesuffix("_id"))
    for row in found:
        table.add_row(
            *[str(row[name]) for name in DIMENSIONS],
            f"{row['impressions_in_events']} / {row['impressions_in_windows']}",
            f"{row['clicks_in_events']} / {row['clicks_in_windows']}",
        )
    console.print(table)
    raise typer.Exit(1)
