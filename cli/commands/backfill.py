"""`sori backfill`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, moment
from cli.shared.say import say
from cli.shared.waiting import say_waiting

app = typer.Typer(help="Count what is derived again from the raw events.", no_args_is_help=True)


@app.callback()
def backfill() -> None:
    """Count what is derived again from the raw events."""


@app.command()
def ctr(
    *,
    start: Annotated[str, typer.Option("--from", help="First window: 15m, 2h, 7d ago, or an ISO 8601 time.")],
    end: Annotated[str, typer.Option("--to", help="Windows before this time; the same forms.")] = "0s",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Recount CTR and device windows from raw events, with a higher version than what is there.

    For windows that `sori verify` finds to differ, and after a restore. Safe to repeat; windows that are still open are
    overtaken by the stream processor's next row. Windows with events that the sinks have not stored yet are counted by
    the sinks, when they have.
    """
    from cli.shared.maintenance import maintain

    first, after = moment(start) or datetime.now(UTC), moment(end) or datetime.now(UTC)
    params = {"start": int(first.timestamp()), "end": int(after.timestamp())}
    result = maintain(config, data_dir, "backfill", params)
    say(f"{result['windows']:,} windows, {result['windows_before']:,} before")
    say_waiting(result)
