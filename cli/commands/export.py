"""`sori export` and `sori import`."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, moment, settings_of
from cli.shared.say import say
from cli.shared.waiting import say_waiting
from sori.errors import ConfigError, StorageUnavailable

if TYPE_CHECKING:
    from sori.settings import Settings


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the Parquet files, one per hour of receipt.")],
    *,
    start: Annotated[str, typer.Option("--from", help="Received since: 2h, 7d ago, or an ISO 8601 time.")] = "3650d",
    end: Annotated[str, typer.Option("--to", help="Received before; the same forms.")] = "0s",
    flushes: Annotated[
        bool,
        typer.Option(
            help="Also keep when workers flushed, which Kafka forgets: `sori backtest` of the files needs it."
        ),
    ] = True,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Write raw events to Parquet files, to move or to keep them; `sori import` reads them back."""
    from cli.shared.maintenance import maintain

    first, after = moment(start) or datetime.now(UTC), moment(end) or datetime.now(UTC)
    params = {"folder": str(folder.absolute()), "start": int(first.timestamp()), "end": int(after.timestamp()) + 1}
    result = maintain(config, data_dir, "export", params)
    say(f"{result['events']:,} events in {result['files']} files under {folder}")
    if flushes and result["events"]:
        say(_keep_flushes(settings_of(config, data_dir), folder, first))


def _keep_flushes(settings: Settings, folder: Path, since: datetime) -> str:
    """Write when workers flushed since then; what came of it, in words. The events are there all the same."""
    from cli.shared.noted_kafka import noted_kafka
    from streams.backtest.sources.flush_file import write_flushes
    from streams.backtest.sources.history import Facts, Span
    from streams.backtest.sources.kafka import KafkaHistory

    try:
        with closing(KafkaHistory(noted_kafka(settings))) as history:
            facts = history.as_flushed(Span(int(since.timestamp() * 1000)), Facts(0, {}))
        path = write_flushes(folder, facts, int(time.time() * 1000))
    except (ConfigError, StorageUnavailable) as error:
        return f"without the times of flushes ({error}): a backtest flushes on its own schedule"
    return f"{len(facts.flushes):,} flushes in {path.name}" if path else "no flushes: Kafka holds none since then"


def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.", exists=True, file_okay=False)],
    *,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Read raw events back from Parquet files, and recount their windows. Importing twice changes nothing."""
    from cli.shared.maintenance import maintain

    result = maintain(config, data_dir, "import", {"folder": str(folder.absolute())})
    say(f"{result['files']} files read, {result.get('windows', 0):,} windows there now")
    say_waiting(result)
