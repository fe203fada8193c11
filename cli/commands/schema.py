"""`sori schema apply` and `sori schema status`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.query_options import ConfigOption, DataDirOption, settings_of
from cli.shared.say import say
from sori.errors import ConfigError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

app = typer.Typer(help="Create and inspect the ClickHouse tables and views.", no_args_is_help=True)


@app.command()
def apply(*, data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Apply the pending migrations in order, the retention settings, and make the user of `api.clickhouse_dsn`.

    With `clickhouse.cluster` the tables are replicated and sharded by account, with Distributed tables over them.
    """
    from runtime.clickhouse import migrations, retention
    from runtime.clickhouse.client import parse_dsn
    from runtime.clickhouse.cluster_schema import open_cluster
    from runtime.clickhouse.reader import ensure_reader

    settings = settings_of(config, data_dir)
    made = False
    with ExitStack() as stack:
        cluster = None
        if settings.clickhouse.cluster:
            dsn = parse_dsn(settings.clickhouse_dsn)
            cluster = stack.enter_context(open_cluster(dsn, settings.clickhouse.cluster))
        client = cluster.facade if cluster else stack.enter_context(_open(config, data_dir, create_database=True))
        done = migrations.apply(client, cluster=cluster)
        changes = retention.apply(client, settings.clickhouse)
        alone = retention.hand_written(client)
        if settings.api.clickhouse_dsn:
            made = ensure_reader(client, parse_dsn(settings.api.clickhouse_dsn), settings.clickhouse.cluster)
    for migration in done:
        say(f"applied {migration.number:04d}_{migration.title}")
    for change in changes:
        moved = f"; TTL {change.ttl}" if "," in change.ttl or " TO " in change.ttl else ""
        say(f"{change.table}: kept {f'{change.after} days' if change.after else 'for ever'}{moved}")
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


@app.command("to-cluster")
def to_cluster(
    source: Annotated[str, typer.Option("--from", help="The single server's database, on the server of the DSN.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Carry the rows of a single server's database into the cluster of `clickhouse.cluster`; safe to repeat.

    Before: stop the sinks, and `sori schema apply` once for the database that is left and once for the cluster, under
    another database name. Afterwards the rows of each table are counted on both sides; exit code 1 where they differ.
    """
    from rich.table import Table

    from cli.shared.terminal import Terminal
    from runtime.clickhouse.client import open_client
    from runtime.clickhouse.to_cluster import carry, compare

    settings = settings_of(config, None)
    if not settings.clickhouse.cluster:
        raise ConfigError("clickhouse.cluster names no cluster")
    with open_client(settings.clickhouse_dsn, send_receive_timeout=86_400.0) as client:
        for step in carry(client, source):
            say(f"{step.table} {step.partition}: {f'{step.rows} rows' if step.rows else 'nothing to do'}")
        found = list(compare(client, source))
    table = Table("table", f"rows in {source}", "rows in the cluster")
    for name, there, here in found:
        table.add_row(name, str(there), str(here))
    Terminal().print(table)
    if any(there != here for _, there, here in found):
        raise typer.Exit(1)


def _open(config: Path | None, data_dir: Path | None, *, create_database: bool) -> Client:
    from runtime.clickhouse.client import open_client

    return open_client(settings_of(config, data_dir).clickhouse_dsn, create_database=create_database)
