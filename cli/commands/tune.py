"""`sori tune`."""

from __future__ import annotations

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


def tune(
    *,
    since: Annotated[
        str | None,
        typer.Option(help="Judged alerts opened since: 2h, 7d, or an ISO 8601 time. Default: all of the history."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Judged alerts opened before; the same forms.", show_default=False)
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="History, as `sori backtest` takes it: clickhouse, kafka, a file or folder.")
    ] = "clickhouse",
    least: Annotated[
        int, typer.Option(min=1, help="Only rules of accounts with so many judged alerts: few prove little.")
    ] = 5,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many processes replay a file.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Propose thresholds for each account by what analysts said of its alerts (`sori verdict`). Applies nothing.

    History is replayed once, under the rules in force and with the counts that open alerts 0.5 to 4 times as high. For
    each account and rule the step is proposed that loses no confirmed alert and accuses fewest; of equals the one that
    finds most, then the one that changes least.

    Example: `sori tune --since 30d --until 7d > proposed.toml`, then try it on another time:
    `sori backtest --since 7d --rules proposed.toml --against-verdicts`

    Exit code 0 with or without a proposal, 2 when times or history cannot be read, or too few alerts were judged.
    """
    from cli.backtest.labels import counting, known_span, labels_of
    from cli.backtest.proposal_report import show_proposals_json, show_toml
    from cli.backtest.run import Asked, opened, replayed
    from cli.shared.terminal import Terminal
    from streams.backtest.tuning import judged_pairs, proposals, steps

    settings = settings_of(config, data_dir)
    first, last = (None if at is None else int(at.timestamp() * 1000) for at in (moment(since), moment(until)))
    if first is not None and last is not None and first >= last:
        raise ConfigError("--since must lie before --until")
    console = Terminal(stderr=True)
    with asking(config, data_dir, api_port, token, quiet=source == "clickhouse") as engine:
        labels = labels_of(engine, first, last)
    pairs = judged_pairs(labels, least)
    if not pairs:
        raise ConfigError(f"no rule has {least} judged alerts of one account in this time: judge more, or use --least")
    asked = Asked(settings, tuple(steps(settings.rules, pairs)), first, last, processes=processes)
    with opened(source, settings, asking(config, data_dir, api_port, token)) as history:
        alerts, facts = replayed(history, asked, console)
    span = known_span(facts, settings.streams, first, last)
    counted = counting(labels, span)
    found = proposals(settings.rules, counted, pairs, [side.values() for side in alerts], span)
    console.print(f"{len(counted)} judged alerts of {len(labels)} counted, {len(pairs)} rules of accounts tried")
    console.print(f"{len(found)} proposals" if found else "no other step does better than the rules in force")
    if as_json:
        show_proposals_json(found)
    elif found:
        show_toml(found)
