"""`sori forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.query_options import ConfigOption, DataDirOption
from cli.shared.waiting import say_waiting

if TYPE_CHECKING:
    from collections.abc import Mapping


def forget(
    *,
    device: Annotated[str, typer.Option(help="The device to forget.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Finish what was interrupted.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also wait until the rows are off the disk: rewrites the parts that had them."),
    ] = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a device's rows everywhere in ClickHouse, and say what remains in Kafka until when.

    Shows what would go and asks first; scripts say --yes. Its windows are recounted without it, so that windows and raw
    events still agree. Aggregates name no device and keep what other devices did. No reader sees the rows from then on;
    the disk is rid of them with the next merge, or at once with --purge. A run that broke off is finished by the same
    command, or by --resume.
    """
    from cli.shared.maintenance import maintain

    if bool(device) == resume:
        raise typer.BadParameter("say --device NAME, or --resume")
    params = {"device": device, "resume": resume}
    whose = f"device {device}" if device else "interrupted devices"
    if dry_run or not yes:
        counted = maintain(config, data_dir, "forget", {**params, "dry_run": True})
        _show(f"Would be removed of {whose}", counted)
        if dry_run:
            return
        typer.confirm("Remove this for good?", abort=True)
    result = maintain(config, data_dir, "forget", {**params, "purge": purge})
    _show(f"Removed of {whose}", result)
    _show_kafka(result)


def _show(title: str, result: Mapping[str, Any]) -> None:
    from rich.table import Table

    from cli.shared.terminal import Terminal

    console = Terminal()
    table = Table(title=title, title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in result["removed"].items():
        table.add_row(name, f"{rows:,}")
    console.print(table)
    console.print(f"{result['windows_recounted']:,} windows recounted without it")
    if result["windows_kept"]:
        console.print(f"{result['windows_kept']:,} windows keep their counts: their raw events have aged out")
    say_waiting(result)
    if result["interrupted"]:
        console.print(f"{result['interrupted']:,} devices of interrupted runs are half forgotten: sori forget --resume")


def _show_kafka(result: Mapping[str, Any]) -> None:
    from cli.shared.terminal import Terminal

    console = Terminal()
    console.print("Kafka deletes by age only. Until then at the latest it may still be in:")
    for place in result["in_kafka"]:
        console.print(f"  {place['topic']}  {place['until']}")
    console.print("Whoever reads those topics from their start again brings it back: forget it once more then.")
