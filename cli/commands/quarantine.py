"""`sori quarantine`: what proven senders sent and we could not accept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.kafka_tables import BootstrapOption, ConfigOption, DataDirOption, settings_for
from cli.shared.say import say, say_json
from sori.errors import QueryError
from sori.times import readable

if TYPE_CHECKING:
    from ingest.quarantine.held import Held

app = typer.Typer(no_args_is_help=True, help="Look at refused events, and replay them once the cause is mended.")

AccountOption = Annotated[str | None, typer.Option(help="Only this account.", show_default=False)]
ReasonOption = Annotated[
    str | None, typer.Option(help="Only this reason; docs/events.md lists them.", show_default=False)
]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids, or their first digits.", show_default=False)]


@app.command("list")
def list_(
    *,
    account: AccountOption = None,
    reason: ReasonOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show what is held, oldest first; deliveries of the same body are one line."""
    from rich.table import Column, Table

    from cli.shared.terminal import Terminal
    from ingest.quarantine.replay import read_held

    held = _chosen(asyncio.run(read_held(settings_for(config, bootstrap, data_dir))), None, account, reason)
    if json:
        for one in held:
            fields = {name: getattr(one, name) for name in one.__slots__ if name != "body"}
            say_json({**fields, "bytes": len(one.body)})
        return
    table = Table(Column("id", no_wrap=True), "received", "times", "account", "endpoint", "reason", "detail")
    for one in held:
        table.add_row(
            one.id, _moment(one.last_ms), str(one.times), one.account or "-", one.endpoint, one.reason, one.detail
        )
    Terminal().print(table if held else "nothing in quarantine")


@app.command("show")
def show(
    held_id: Annotated[str, typer.Argument(metavar="ID", help="Id, or its first digits.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes, exactly as signed, to standard output.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show one refused body and why it was refused."""
    from rich.table import Table

    from cli.shared.terminal import Terminal
    from ingest.quarantine.replay import read_held

    (one,) = _chosen(asyncio.run(read_held(settings_for(config, bootstrap, data_dir))), [held_id], None, None)
    if raw:
        typer.get_binary_stream("stdout").write(one.body)
        return
    table = Table(show_header=False, box=None)
    for name in one.__slots__:
        if name not in ("body", "first_ms", "last_ms"):
            table.add_row(name, str(getattr(one, name)) or "-")
    table.add_row("received", _moment(one.last_ms))
    Terminal().print(table)
    say(one.body.decode("utf-8", "backslashreplace"), lines=True)


@app.command("replay")
def replay(
    ids: IdsArgument = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is held.")] = False,
    account: AccountOption = None,
    reason: ReasonOption = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send held events to the events topic if they are acceptable now; safe to repeat, an event counts once.

    Of given ids that ClickHouse knows, only these and what came since are read from Kafka; else all that is held.
    Exit code 1 when something is still refused: it stays in quarantine.
    """
    from rich.table import Table

    from cli.shared.quarantine_replay import where
    from cli.shared.terminal import Terminal, joined, styled
    from ingest.quarantine import replay

    if not (ids or all_ or account or reason):
        raise typer.BadParameter("say which: ids, --account, --reason or --all")
    settings = settings_for(config, bootstrap, data_dir)
    known = where(ids or [], config, data_dir)
    found = asyncio.run(replay.read_held(settings, known.rows or None, known=known))
    if known.rows and not all(any(one.id.startswith(text) for one in found) for text in ids or []):
        found = asyncio.run(replay.read_held(settings))  # replayed already, or the database is another pipeline's
    held = _chosen(found, ids, account, reason)
    result = asyncio.run(replay.replay(settings, held))
    table = Table("id", "what happened")
    for one in result.landed:
        table.add_row(one.id, styled("green", "replayed"))
    for one, refused in result.refused:
        table.add_row(one.id, joined(styled("red", "still refused"), f": {refused.detail}"))
    Terminal().print(table if held else "nothing in quarantine")
    if result.refused:
        raise typer.Exit(1)


def _chosen(held: list[Held], ids: list[str] | None, account: str | None, reason: str | None) -> list[Held]:
    """Filter; every given id must name exactly one held body. Raises QueryError."""
    for prefix in ids or []:
        matches = [one.id for one in held if one.id.startswith(prefix)]
        if len(matches) != 1:
            raise QueryError(f"{prefix!r} names {len(matches)} held events; see `sori quarantine list`")
    return [
        one
        for one in held
        if (not ids or any(one.id.startswith(prefix) for prefix in ids))
        and account in (None, one.account)
        and reason in (None, one.reason)
    ]


def _moment(epoch_ms: int) -> str:
    return readable(epoch_ms)
