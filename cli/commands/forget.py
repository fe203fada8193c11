"""`sori forget`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption


def forget(
    *,
    device: Annotated[str, typer.Option(help="The device to forget.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a device's rows everywhere in ClickHouse, and say what remains in Kafka until when.

    Its windows are recounted without it, so that windows and raw events still agree. Aggregates name no device and keep
    what other devices did.
    """
    from rich.table import Table

    from cli.shared.maintenance import maintain
    from cli.shared.terminal import Terminal

    result = maintain(config, data_dir, "forget", {"device": device})
    console = Terminal()
    table = Table(title=f"Removed of device {device}", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in result["removed"].items():
        table.add_row(name, f"{rows:,}")
    console.print(table)
    console.print(f"{result['windows_recounted']:,} windows recounted without it")
    console.print("Kafka deletes by age only. Until then at the latest it may still be in:")
    for place in result["in_kafka"]:
        console.print(f"  {place['topic']}  {place['until']}")
    console.print("Whoever reads those topics from their start again brings it back: forget it once more then.")
