"""`sori topics`: the topics of the registry, in the Kafka in force."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sori.settings import load_settings
from sori.settings.kafka_login import STAGES, Stage

app = typer.Typer(no_args_is_help=True, help="Create and list the Kafka topics of the pipeline.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)]

StageOption = Annotated[
    Stage | None, typer.Option("--stage", help="Only this one: what it needs and nothing more.", show_default=False)
]

acls = typer.Typer(
    invoke_without_command=True, help="The least rights of each stage in a Kafka that has an authorizer."
)
app.add_typer(acls, name="acls")


@acls.callback()
def show_acls(
    context: typer.Context,
    stage: StageOption = None,
    config: ConfigOption = None,
    commands: Annotated[bool, typer.Option("--commands", help="As calls of Kafka's own kafka-acls.sh.")] = False,
) -> None:
    """Print what each stage's user must be allowed, or with `apply` have Kafka allow it.

    The user is kafka.<stage>.principal, else that of its login (kafka.<stage>.sasl_username …), else that of the group.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from broker.acls import grants
    from cli.shared.say import say
    from cli.shared.terminal import Terminal

    settings = load_settings(config)
    wanted = grants(settings, STAGES if stage is None else (stage,))
    if commands:
        for one in wanted:
            say(one.command(settings.kafka.bootstrap))
        return
    table = Table("stage", "user", "right", "on", "name")
    for one in wanted:
        name = f"{one.right.name}*" if one.right.prefixed else one.right.name
        table.add_row(one.stage, one.principal, one.right.operation, one.right.resource, name)
    Terminal().print(table)


@acls.command("apply")
def apply_acls(stage: StageOption = None, config: ConfigOption = None) -> None:
    """Give the rights that are missing, as the user of kafka.admin; takes none away, safe to repeat."""
    from broker.acls import apply_grants, grants
    from cli.shared.say import say

    settings = load_settings(config)
    wanted = grants(settings, STAGES if stage is None else (stage,))
    asyncio.run(apply_grants(settings.kafka.of("admin"), wanted))
    say(f"{len(wanted)} rights are in force")


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
    for change in asyncio.run(apply_topics(settings.kafka.of("admin"))):
        table.add_row(change.name, str(change.partitions), change.action)
    Terminal().print(table)


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """Show every topic of the registry as it really is; exit code 1 when one is missing."""
    from rich.table import Table

    from broker.topic_admin import list_topics
    from cli.shared.terminal import Terminal, styled

    settings = load_settings(config)
    states = asyncio.run(list_topics(settings.kafka.of("admin")))
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
