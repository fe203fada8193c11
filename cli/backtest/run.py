"""History for `sori backtest`, and the backtest itself, with a progress bar."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn

from api.query.engine import Engine
from cli.shared.noted_kafka import noted_kafka
from cli.shared.say import say
from cli.shared.terminal import progress_text
from sori.errors import ConfigError
from sori.settings import Settings
from sori.settings.rules import RulesSettings
from streams.backtest.device_hop import Alerts
from streams.backtest.parallel_replay import Task, replay
from streams.backtest.replay import Replay
from streams.backtest.sources.clickhouse import StoredHistory
from streams.backtest.sources.history import Facts, History, Partitionable, Span
from streams.backtest.sources.kafka import KafkaHistory
from streams.backtest.sources.ndjson import NdjsonHistory
from streams.backtest.sources.parquet import ParquetHistory
from streams.backtest.warmup import tail_ms, warmup_ms
from streams.backtest.worker_pool import pool
from streams.worker.gc_tuning import spare_state

_SUFFIXES = {".parquet", ".ndjson", ".jsonl", ".json"}
#: Starting a process takes about as long as it takes to replay so many events.
_WORTH_A_PROCESS = 50_000


@dataclass(frozen=True)
class Asked:
    """What shall be replayed, and how. Times are those of alerts."""

    settings: Settings
    variants: tuple[RulesSettings, ...]
    first_ms: int | None
    last_ms: int | None
    as_flushed: bool = False
    processes: int | None = None

    @property
    def span(self) -> Span:
        """Receipt, from before the first alert, as far as rules look back, until after the last, so that it closes."""
        streams, variants = self.settings.streams, self.variants
        begin = None if self.first_ms is None else self.first_ms - warmup_ms(streams, variants)
        end = None if self.last_ms is None else self.last_ms + tail_ms(streams, variants)
        return Span(begin, end)


@contextmanager
def opened(source: str, settings: Settings, stored: AbstractContextManager[Engine]) -> Iterator[History]:
    """What `--from` names; `stored` is who is asked where that is ClickHouse."""
    if source == "kafka":
        kafka = noted_kafka(settings)
        say(f"asking Kafka at {kafka.bootstrap}, topics {kafka.topic_prefix}*", err=True)
        with closing(KafkaHistory(kafka)) as history:
            yield history
    elif source == "clickhouse":
        with stored as engine:
            yield StoredHistory(engine.raw)
    else:
        say(f"asking the files in {source}", err=True)
        yield _file(Path(source), settings)


def alerts_of(history: History, asked: Asked, console: Console) -> Sequence[Alerts]:
    """Alerts of every set of rules. Raises ConfigError where there is no history."""
    return replayed(history, asked, console)[0]


def replayed(history: History, asked: Asked, console: Console) -> tuple[Sequence[Alerts], Facts]:
    """The same, and what was known of the history."""
    began, count = time.perf_counter(), _processes(history, asked.processes)
    columns = (progress_text("backtest"), BarColumn(), progress_text("{task.percentage:.0f} %  {task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(events: int, facts: Facts) -> None:
            bar.update(task, total=sum(facts.sizes.values()), completed=events, description=f"{events:,} events")

        if count > 1 and isinstance(history, Partitionable):
            alerts, events, facts = _in_processes(history, asked, count, show)
        else:
            alerts, events, facts = _here(history, asked, show)
    if not events:
        raise ConfigError("there is no history in this span")
    seconds = time.perf_counter() - began
    by = "" if count == 1 else f" by {count} processes"
    console.print(f"{events:,} events in {seconds:.1f} s{by}, {events / seconds:,.0f} a second")
    return alerts, facts


def _here(history: History, asked: Asked, show: Callable[[int, Facts], None]) -> tuple[Sequence[Alerts], int, Facts]:
    facts = _facts(history, asked)
    made = Replay(asked.settings.streams, asked.variants, facts)
    spare_state()
    for step in history.read(asked.span):
        made.take(step)
        show(made.events, facts)
    made.finish(_end_ms(history, asked.span))
    return made.alerts, made.events, facts


def _in_processes(
    history: Partitionable, asked: Asked, count: int, show: Callable[[int, Facts], None]
) -> tuple[Sequence[Alerts], int, Facts]:
    events = 0
    with pool(count) as workers:
        history.survey(asked.span, workers.map)
        facts = _facts(history, asked)

        def went(more: int) -> None:
            nonlocal events
            events += more
            show(events, facts)

        task = Task(asked.settings.streams, asked.variants, facts, asked.span)
        return replay(workers, history, task, _end_ms(history, asked.span), went), events, facts


def _facts(history: History, asked: Asked) -> Facts:
    facts = history.facts(asked.span)
    if asked.as_flushed and not isinstance(history, KafkaHistory):
        with closing(KafkaHistory(noted_kafka(asked.settings))) as kafka:
            return kafka.as_flushed(asked.span, facts)
    return facts


def _processes(history: History, wanted: int | None) -> int:
    if not isinstance(history, Partitionable):
        return 1
    if wanted is not None:
        return wanted
    return max(1, min(os.cpu_count() or 1, history.estimate() // _WORTH_A_PROCESS))


def _file(path: Path, settings: Settings) -> History:
    if not path.exists() or not (path.is_dir() or path.suffix in _SUFFIXES):
        raise ConfigError(f"--from takes clickhouse, kafka, or a .parquet or .ndjson file or folder, not {path}")
    if path.is_dir() or path.suffix == ".parquet":
        return ParquetHistory(path)
    return NdjsonHistory(path, settings.kafka.event_partitions)


def _end_ms(history: History, span: Span) -> int | None:
    """When history ends: at the end of the span, else now where it still goes on, else with its last event."""
    now_ms = int(time.time() * 1000)
    if span.to_ms is not None:
        return min(span.to_ms, now_ms)
    return None if isinstance(history, Partitionable) else now_ms
