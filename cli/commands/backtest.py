"""`sori backtest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.shared.query_options import (
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    JsonOption,
    TokenOption,
    asking,
    moment,
    settings_of,
)
from sori.errors import ConfigError

_Rules = Annotated[
    Path, typer.Option(help="TOML of the rules to try: what it leaves out stays as configured.", dir_okay=False)
]
_Since = Annotated[
    str | None,
    typer.Option(help="Alerts opened since: 2h, 7d (or -2h), or an ISO 8601 time. Default: all of the history."),
]
_Until = Annotated[str | None, typer.Option(help="Alerts opened before; the same forms.", show_default=False)]
_Source = Annotated[
    str,
    typer.Option(
        "--from", help="History: clickhouse, kafka, or a file (.parquet, .ndjson) or folder of `sori export`."
    ),
]
_AsFlushed = Annotated[
    bool, typer.Option(help="Flush when live workers did, as Kafka's roll-up topic tells: places exactly as live.")
]
_Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many processes replay a file; the alerts are the same however many. Each takes some of the partitions"
        " that the events lie in, so more than there are of those would idle. Default: one per core, and one alone"
        " for a short file. History from clickhouse and kafka takes one.",
        show_default=False,
    ),
]
_Csv = Annotated[Path | None, typer.Option(help="Write every alert to this CSV file.", show_default=False)]
_Limit = Annotated[int, typer.Option(min=0, help="Most alerts shown of those raised or dropped.")]


def backtest(
    *,
    rules: _Rules,
    since: _Since = None,
    until: _Until = None,
    source: _Source = "clickhouse",
    as_flushed: _AsFlushed = False,
    processes: _Processes = None,
    csv: _Csv = None,
    limit: _Limit = 20,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Try fraud rules on history: which alerts they would raise, keep and drop against the rules in force.

    The operators that run live read the same events again, in memory, under both sets of rules at once. Nothing is
    written but what --csv names. History before --since is read too, as far as rules look back, and not reported.
    What analysts allow (`sori verdicts`) is not applied: both sides raise it.

    Example: new.toml holds what shall change, with the names of the settings, such as

    device_click_burst.floor = 15

    accounts.acc_123456.fast_click.enabled = false

    and `sori backtest --since 24h --rules new.toml --csv changes.csv` tells what would have been different.

    Exit code 0 whatever the outcome, 2 when rules, times or history cannot be read.
    """
    from cli.backtest.report import show, show_json, write
    from cli.backtest.run import Asked, alerts_of, opened
    from cli.shared.terminal import Terminal
    from streams.backtest.compare import compare, opened_within
    from streams.backtest.rules_file import read_rules

    settings = settings_of(config, data_dir)
    variants = (settings.rules, read_rules(rules, settings.rules))
    first, last = _moment_ms(since), _moment_ms(until)
    if first is not None and last is not None and first >= last:
        raise ConfigError("--since must lie before --until")
    console = Terminal(stderr=as_json)
    asked = Asked(settings, variants, first, last, as_flushed=as_flushed, processes=processes)
    with opened(source, settings, asking(config, data_dir, api_port, token)) as history:
        alerts = alerts_of(history, asked, console)
    current, new = (opened_within(found.values(), _iso(first), _iso(last)) for found in alerts)
    compared = compare(current, new)
    if as_json:
        show_json(compared)
    else:
        show(console, compared, variants, limit)
    if csv is not None:
        write(csv, compared)
        console.print(f"{len(compared)} alerts written to {csv}")


def _moment_ms(text: str | None) -> int | None:
    found = moment(text.removeprefix("-") if text else None)
    return None if found is None else int(found.timestamp() * 1000)


def _iso(ms: int | None) -> str | None:
    from sori.times import iso

    return None if ms is None else iso(ms)
