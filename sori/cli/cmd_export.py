"""`sori export` and `sori import`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sori.cli.asking import ConfigOption, DataDirOption, moment


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the Parquet files, one per hour of receipt.")],
    *,
    start: Annotated[str, typer.Option("--from", help="Received since: 2h, 7d ago, or an ISO 8601 time.")] = "3650d",
    end: Annotated[str, typer.Option("--to", help="Received before; the same forms.")] = "0s",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Write raw events to Parquet files, to move or to keep them; `sori import` reads them back."""
    from sori.cli.maintaining import maintain

    first, after = moment(start) or datetime.now(UTC), moment(end) or datetime.now(UTC)
    params = {"folder": str(folder.absolute()), "start": int(first.timestamp()), "end": int(after.timestamp()) + 1}
    result = maintain(config, data_dir, "export", params)
    print(f"{result['events']:,} events in {result['files']} files under {folder}")


def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.", exists=True, file_okay=False)],
    *,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Read raw events back from Parquet files, and recount their windows. Importing twice changes nothing."""
    from sori.cli.maintaining import maintain

    result = maintain(config, data_dir, "import", {"folder": str(folder.absolute())})
    print(f"{result['files']} files read, {result.get('windows', 0):,} windows there now")
