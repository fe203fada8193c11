"""`sori schema apply|status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, settings_of
from cli.shared.say import say

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

app = typer.Typer(help="Create and inspect the ClickHouse tables and views.", no_args_is_help=True)


@app.command()
def apply(*, data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Apply the pending migrations in order, the retention settings, and make the user of `api.clickhouse_dsn`."""
    from runtime.clickhouse import migrations, retention
    from runtime.clickhouse.client import parse_dsn
    from runtime.clickhouse.reader import ensure_reader

    settings = settings_of(config, data_dir)
    made = False
    with _open(config, data_dir, create_database=True) as client:
        done = migrations.apply(client)
        changes = retention.apply(client, settings.clickhouse)
        alone = retention.hand_written(client)
        if settings.api.clickhouse_dsn:
            made = ensure_reader(client, parse_dsn(settings.api.clickhouse_dsn))
    for migration in done:
        say(f"applied {migration.number:04d}_{migration.title}")
    for change in changes:
        say(f"{change.table}: kept {f'{change.after} days' if change.after else 'for ever'}")
    for table, ttl in alone.items():
        say(f"{table}: its TTL is not ours and stays as it is: {ttl}")
    if made:
        say(f"made the reader of {parse_dsn(settings.api.clickhouse_dsn)}")
    say("the schema is current" if not done else f"{len(done)} migrations applied")


@app.command()
def status(*, data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """List the migrations and whether this database has them; exit 1 unless all are applied."""
    from rich.table import Table

    from cli.shared.terminal import Terminal
    from runtime.clickhouse import migrations

    with _open(config, data_dir, create_database=False) as client:
        entries = migrations.status(client)
    table = Table()
    for name in ("number", "migration", "state", "applied at"):
        table.add_column(name)
    for entry in entries:
        table.add_row(f"{entry.migration.number:04d}", entry.migration.title, entry.state, entry.applied_at)
    Terminal().print(table)
    if any(entry.state != "applied" for entry in entries):
        raise typer.Exit(1)


def _open(config: Path | None, data_dir: Path | None, *, create_database: bool) -> Client:
    from runtime.clickhouse.client import open_client

    return open_client(settings_of(config, data_dir).clickhouse_dsn, create_database=create_database)
