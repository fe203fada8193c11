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
    Path | None,
    typer.Option(
        help="TOML of the rules to try: what it leaves out stays as configured. Without it, --against-verdicts scores"
        " the rules in force.",
        dir_okay=False,
        show_default=False,
    ),
]
_AgainstVerdicts = Annotated[
    bool,
    typer.Option(
        "--against-verdicts",
        help="Report precision and recall by what analysts said (`sori verdict`) of alerts opened in this time.",
    ),
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
    rules: _Rules = None,
    against_verdicts: _AgainstVerdicts = False,
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

    and `sori backtest --since 24h --rules new.toml --csv changes.csv` tells what would have been different;
    `sori backtest --since 7d --rules new.toml --against-verdicts` tells whether that is better.

    Exit code 0 whatever the outcome, 2 when rules, times or history cannot be read, or no alert of the time was judged.
    """
    from cli.backtest.labels import known_span, labels_of, moments, scored_by
    from cli.backtest.report import show, show_json, write
    from cli.backtest.run import Asked, opened, replayed
    from cli.backtest.score_report import show_scores, show_scores_json
    from cli.shared.terminal import Terminal
    from streams.backtest.compare import compare, opened_within
    from streams.backtest.labels import Label
    from streams.backtest.rules_file import read_rules

    if rules is None and not against_verdicts:
        raise ConfigError("--rules: name the file of rules to try, or ask for --against-verdicts of those in force")
    settings = settings_of(config, data_dir)
    variants = (settings.rules, *(() if rules is None else (read_rules(rules, settings.rules),)))
    first, last = _moment_ms(since), _moment_ms(until)
    if first is not None and last is not None and first >= last:
        raise ConfigError("--since must lie before --until")
    console = Terminal(stderr=as_json)
    labels: list[Label] = []
    if against_verdicts:
        with asking(config, data_dir, api_port, token, quiet=source == "clickhouse") as engine:
            labels = labels_of(engine, first, last)
    asked = Asked(settings, variants, first, last, as_flushed=as_flushed, processes=processes)
    with opened(source, settings, asking(config, data_dir, api_port, token)) as history:
        alerts, facts = replayed(history, asked, console)
    span = moments(first, last)
    compared = compare(*(opened_within(alerts[at].values(), *span) for at in (0, -1)))
    if against_verdicts:
        scored = scored_by(labels, alerts, known_span(facts, settings.streams, first, last))
        if as_json:
            show_scores_json(scored)
        else:
            show_scores(console, scored, variants, limit)
    elif as_json:
        show_json(compared)
    else:
        show(console, compared, variants, limit)
    if csv is not None:
        write(csv, compared)
        console.print(f"{len(compared)} alerts written to {csv}")


def _moment_ms(text: str | None) -> int | None:
    found = moment(text.removeprefix("-") if text else None)
    return None if found is None else int(found.timestamp() * 1000)
