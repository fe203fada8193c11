"""`sori query`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.shared.query_options import ApiPortOption, ConfigOption, DataDirOption, asking

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
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask ClickHouse. Works while `sori up` runs (through its API) and when it does not.

    Views: events_current, ctr_by_minute, ctr_by_campaign, ctr_by_place, ctr_by_device, alerts_current.
    """
    with asking(config, data_dir, api_port) as engine:
        answer = engine.raw(sql, _FORMATS.get(fmt.lower(), fmt))
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()
