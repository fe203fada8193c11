"""`sori backtest`."""

from __future__ import annotations

import csv as csv_module
import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sori.cli.asking import ApiPortOption, ConfigOption, DataDirOption, asking, moment, settings_of
from sori.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from sori.settings import Settings
    from sori.settings.rules import RulesSettings
    from streams.backtest.compare import Compared
    from streams.backtest.history import Facts, History, Span
    from streams.backtest.replay import Alerts

_STATUS = {"raised": "[red]raised[/]", "kept": "kept", "dropped": "[cyan]dropped[/]"}
_LIVE = ("clickhouse", "kafka")
_SUFFIXES = {".parquet", ".ndjson", ".jsonl", ".json"}


def backtest(
    *,
    rules: Annotated[
        Path, typer.Option(help="TOML of the rules to try: what it leaves out stays as configured.", dir_okay=False)
    ],
    since: Annotated[
        str | None,
        typer.Option(help="Alerts opened since: 2h, 7d (or -2h), or an ISO 8601 time. Default: all of the history."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Alerts opened before; the same forms.", show_default=False)] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from", help="History: clickhouse, kafka, or a file (.parquet, .ndjson) or folder of `sori export`."
        ),
    ] = "clickhouse",
    as_flushed: Annotated[
        bool,
        typer.Option(help="Flush when live workers did, as Kafka's roll-up topic tells: places exactly as live."),
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every alert to this CSV file.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most alerts shown of those raised or dropped.")] = 20,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    config: ConfigOption = None,
) -> None:
    """Try fraud rules on history: which alerts they would raise, keep and drop against the rules in force.

    The operators that run live read the same events again, in memory, under both sets of rules at once. Nothing is
    written but what --csv names. History before --since is read too, as far as rules look back, and not reported.

    Example: new.toml holds what shall change, with the names of the settings, such as

    device_click_burst.floor = 15

    accounts.acc_123456.fast_click.enabled = false

    and `sori backtest --since 24h --rules new.toml --csv changes.csv` tells what would have been different.

    Exit code 0 whatever the outcome, 2 when rules, times or history cannot be read.
    """
    from rich.console import Console

    from streams.backtest.compare import compare, opened_within
    from streams.backtest.rules_file import read_rules

    settings = settings_of(config, data_dir)
    variants = (settings.rules, read_rules(rules, settings.rules))
    first, last = _moment_ms(since), _moment_ms(until)
    if first is not None and last is not None and first >= last:
        raise ConfigError("--since must lie before --until")
    console = Console()
    with _history(source, settings, config, data_dir, api_port) as history:
        span = _span(settings, variants, first, last)
        facts = history.facts(span)
        if as_flushed and source != "kafka":
            facts = _as_flushed(settings, span, facts)
        alerts = _run(history, facts, settings, variants, span, console, live=source in _LIVE)
    bounds = (_iso(first), _iso(last))
    current, new = (opened_within(found.values(), *bounds) for found in alerts)
    compared = compare(current, new)
    _show(console, compared, variants, limit)
    if csv is not None:
        _write(csv, compared)
        console.print(f"{len(compared)} alerts written to {csv}")


def _moment_ms(text: str | None) -> int | None:
    found = moment(text.removeprefix("-") if text else None)
    return None if found is None else int(found.timestamp() * 1000)


def _iso(ms: int | None) -> str | None:
    from streams.alerts import iso

    return None if ms is None else iso(ms)


@contextmanager
def _history(
    source: str, settings: Settings, config: Path | None, data_dir: Path | None, api_port: int | None
) -> Iterator[History]:
    if source == "kafka":
        from streams.backtest.kafka_log import KafkaHistory

        history = KafkaHistory(settings.kafka)
        try:
            yield history
        finally:
            history.close()
    elif source == "clickhouse":
        from streams.backtest.stored import StoredHistory

        with asking(config, data_dir, api_port) as engine:
            yield StoredHistory(engine.raw)
    else:
        yield _file(Path(source), settings)


def _as_flushed(settings: Settings, span: Span, facts: Facts) -> Facts:
    from streams.backtest.kafka_log import KafkaHistory

    kafka = KafkaHistory(settings.kafka)
    try:
        return kafka.as_flushed(span, facts)
    finally:
        kafka.close()


def _file(path: Path, settings: Settings) -> History:
    if not path.exists() or not (path.is_dir() or path.suffix in _SUFFIXES):
        raise ConfigError(f"--from takes clickhouse, kafka, or a .parquet or .ndjson file or folder, not {path}")
    if path.is_dir() or path.suffix == ".parquet":
        from streams.backtest.parquet import ParquetHistory

        return ParquetHistory(path)
    from streams.backtest.ndjson import NdjsonHistory

    return NdjsonHistory(path, settings.kafka.event_partitions)


def _run(  # noqa: PLR0917 - one caller
    history: History,
    facts: Facts,
    settings: Settings,
    variants: tuple[RulesSettings, ...],
    span: Span,
    console: Console,
    *,
    live: bool,
) -> Sequence[Alerts]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from streams.backtest.history import Mark
    from streams.backtest.replay import Replay

    began = time.perf_counter()
    columns = (TextColumn("backtest"), BarColumn(), TextColumn("{task.percentage:.0f} %  {task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        replay = Replay(settings.streams, variants, facts)
        gc.freeze()  # as the worker does: operator state holds no cycles
        gc.set_threshold(100_000, 50, 100)
        for step in history.read(span):
            replay.take(step)
            if isinstance(step, Mark):
                bar.update(task, completed=step.done, description=f"{replay.events:,} events")
    replay.finish(_end_ms(span, live=live))
    seconds = time.perf_counter() - began
    if not replay.events:
        raise ConfigError("there is no history in this span")
    console.print(f"{replay.events:,} events in {seconds:.1f} s, {replay.events / seconds:,.0f} a second")
    return replay.alerts


def _end_ms(span: Span, *, live: bool) -> int | None:
    """When history ends: at the end of the span, else now where it still goes on, else with its last event."""
    now_ms = int(time.time() * 1000)
    if span.to_ms is not None:
        return min(span.to_ms, now_ms)
    return now_ms if live else None


def _span(settings: Settings, variants: tuple[RulesSettings, ...], first_ms: int | None, last_ms: int | None) -> Span:
    from streams.backtest.history import Span
    from streams.backtest.warmup import tail_ms, warmup_ms

    begin = None if first_ms is None else first_ms - warmup_ms(settings.streams, variants)
    end = None if last_ms is None else last_ms + tail_ms(settings.streams, variants)
    return Span(begin, end)


def _show(console: Console, compared: list[Compared], variants: tuple[RulesSettings, ...], limit: int) -> None:
    from rich.table import Table

    from streams.backtest.compare import STATUSES, counts
    from streams.backtest.rules_file import differences

    for name, here, there in differences(*variants):
        console.print(f"{name}: {here} -> {there}", highlight=False)
    for title, by in (("rule", "rule"), ("account", "account_id")):
        table = Table(title=f"Alerts by {title}", title_justify="left")
        table.add_column(title)
        for name in (*STATUSES, "now", "then"):
            table.add_column(name, justify="right")
        for key, found in counts(compared, by):
            now, then = found["kept"] + found["dropped"], found["kept"] + found["raised"]
            table.add_row(key, *(str(found[status]) for status in STATUSES), str(now), str(then))
        console.print(table)
    changes = [one for one in compared if one.status != "kept"]
    if not changes:
        console.print("the new rules raise the alerts that the current ones raise")
        return
    table = Table("", "opened", "rule", "account", "subject", "severity", "observed", "floor", title_justify="left")
    for one in changes[:limit]:
        alert = one.alert
        subject = f"{alert['subject_kind']} {alert['subject']}"
        counted = (f"{alert['observed']:g}", f"{alert['floor']:g}")
        row = (alert["opened_at"][:19], alert["rule"], alert["account_id"], subject, alert["severity"])
        table.add_row(_STATUS[one.status], *row, *counted)
    if limit:
        console.print(table)
    if len(changes) > limit:
        console.print(f"{len(changes) - limit} more; --csv FILE has them all")


def _write(path: Path, compared: list[Compared]) -> None:
    from streams.backtest.compare import COLUMNS, lines

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer: csv_module.DictWriter[Any] = csv_module.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(lines(compared))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
