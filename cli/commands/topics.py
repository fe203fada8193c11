"""`sori topics`: the topics of the registry, in the Kafka in force."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sori.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Create and list the Kafka topics of the pipeline.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)]


@app.command("apply")
def apply(config: ConfigOption = None) -> None:
    """Create every missing topic and add partitions where there are too few; safe to repeat.

    Never deletes, reduces or reconfigures. Kafka is SORI_KAFKA__BOOTSTRAP, the replicas SORI_KAFKA__REPLICATION.
    """
    from rich.table import Table

    from broker.topic_admin import apply_topics
    from cli.shared.terminal import Terminal

    settings = load_settings(config)
    table = Table("topic", "partitions", "what happened")
    for change in asyncio.run(apply_topics(settings.kafka)):
        table.add_row(change.name, str(change.partitions), change.action)
    Terminal().print(table)


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """Show every topic of the registry as it really is; exit code 1 when one is missing."""
    from rich.table import Table

    from broker.topic_admin import list_topics
    from cli.shared.terminal import Terminal, styled

    settings = load_settings(config)
    states = asyncio.run(list_topics(settings.kafka))
    table = Table("topic", "partitions", "retention", "key", "value")
    for state in states:
        shown = str(state.partitions) if state.partitions else styled("red", "missing")
        retention = "-" if not state.partitions else retention_text(state.retention_ms)
        table.add_row(state.name, shown, retention, state.topic.key, state.topic.schema)
    Terminal().print(table)
    if not all(state.partitions for state in states):
        raise typer.Exit(1)


def retention_text(retention_ms: int | None) -> str:
    """Days or hours, `forever` for -1, `compacted` for None."""
    if retention_ms is None:
        return "compacted"
    if retention_ms < 0:
        return "forever"
    days, rest = divmod(retention_ms, 86_400_000)
    return f"{days} d" if rest == 0 else f"{retention_ms / 3_600_000:g} h"
