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
    settings_of,
)
from cli.shared.say import say_json_lines


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
    """Count windows again from raw events, also those of devices, and roll-ups from windows; find events there twice.

    Prints every difference; exit 1 if there is one. While events flow, the newest windows differ for a moment, since
    raw events and windows travel different ways; what is repeated or late is put right within half a minute.

    A device beyond streams.max_devices and streams.max_account_devices has no window: the settings are those of whoever
    asks, so ask with the configuration that the pipeline runs with.
    """
    from rich.table import Table

    from api.query.ctr_sql import in_order
    from api.query.engine import rows
    from api.query.row_times import iso
    from api.query.verification import CHECKS, Caps
    from api.query.verification import verify as find_differences
    from cli.shared.terminal import Terminal

    first, last = moment(since), moment(until)
    in_order(first, last)
    with asking(config, data_dir, api_port, token) as engine:
        streams = settings_of(config, data_dir).streams
        caps = Caps(streams.max_devices, streams.max_account_devices)
        found = find_differences(lambda sql: rows(engine, sql), first, last, caps)
    if as_json:
        say_json_lines(iso(row, ("minute", "time")) for row in found)
        raise typer.Exit(1 if found else 0)
    console = Terminal()
    if not found:
        console.print("CTR windows and raw events agree")
        return
    for name, check in CHECKS.items():
        differing = [row for row in found if row["check"] == name]
        if not differing:
            continue
        table = Table(title=check.title, title_justify="left")
        for column in (*check.keys, *check.counts):
            table.add_column(column.removesuffix("_id"))
        for row in differing:
            counts = [" / ".join(str(row[side]) for side in pair) for pair in check.counts.values()]
            table.add_row(*[str(row.get(key, "")) for key in check.keys], *counts)
        console.print(table)
    console.print("Where this stays for a minute, with sinks running: sori backfill ctr --from TIME --to TIME")
    raise typer.Exit(1)
