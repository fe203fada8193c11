"""`sori query`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.shared.query_options import ApiPortOption, ConfigOption, DataDirOption, JsonOption, TokenOption, asking
from cli.shared.say import say

_FORMATS = {
    "pretty": "PrettyCompactMonoBlock",
    "json": "JSON",
    "jsonl": "JSONEachRow",
    "ndjson": "JSONEachRow",
    "csv": "CSVWithNames",
    "tsv": "TabSeparatedWithNames",
    "markdown": "Markdown",
    "vertical": "Vertical",
}
#: How the names of formats begin that no program reads: in them nothing may act on a terminal, in a pipe neither.
_FOR_PEOPLE = ("Pretty", "Vertical", "Markdown")


def query(
    sql: Annotated[str, typer.Argument(help="One reading statement, such as SELECT count() FROM events_current.")],
    *,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="pretty, json, jsonl, csv, tsv, markdown, vertical, or any ClickHouse output format.",
        ),
    ] = "pretty",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask ClickHouse. Works while `sori up` runs (through its API) and when it does not.

    Views: events_current, ctr_by_minute, ctr_by_campaign, ctr_by_place, ctr_by_device, alerts_current.
    """
    with asking(config, data_dir, api_port, token) as engine:
        chosen = _FORMATS["jsonl"] if as_json else _FORMATS.get(fmt.lower(), fmt)
        answer = engine.raw(sql, chosen)
    if chosen.startswith(_FOR_PEOPLE) or sys.stdout.isatty():
        say(answer.decode("utf-8", "backslashreplace").removesuffix("\n"), lines=True)
        return
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()
