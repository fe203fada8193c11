"""`sori`: one command per stage and per question. Each command imports its stage only when it runs."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import typer

from cli.shared.checked import checked
from cli.shared.say import say
from sori.errors import PrerequisiteError, SoriError


@dataclass(frozen=True, slots=True)
class Command:
    """A command: where its function (or sub-application) lives."""

    name: str
    module: str
    attribute: str
    panel: str
    group: bool = False


RUN, STAGES, ASK, CARE = "Run it", "Single stages, for production", "Ask", "Care"

COMMANDS = (
    Command("demo", "demo", "demo", RUN),
    Command("up", "up", "up", RUN),
    Command("simulate", "simulate", "simulate", RUN),
    Command("sign", "sign", "sign", RUN),
    Command("ingest", "ingest", "app", STAGES, group=True),
    Command("streams", "streams", "streams", STAGES),
    Command("sinks", "sinks", "sinks", STAGES),
    Command("notify", "notify", "notify", STAGES),
    Command("api", "api", "api", STAGES),
    Command("broker", "broker", "broker", STAGES),
    Command("query", "query", "query", ASK),
    Command("ctr", "ctr", "ctr", ASK),
    Command("alerts", "alerts", "alerts", ASK),
    Command("incidents", "incidents", "incidents", ASK),
    Command("explain", "explain", "explain", ASK),
    Command("verdict", "verdicts", "verdict", ASK),
    Command("verdicts", "verdicts", "verdicts", ASK),
    Command("backtest", "backtest", "backtest", ASK),
    Command("tune", "tune", "tune", ASK),
    Command("audit", "audit", "app", ASK, group=True),
    Command("fields", "fields", "fields", ASK),
    Command("words", "words", "words", ASK),
    Command("subscribers", "subscribers", "app", CARE, group=True),
    Command("tokens", "tokens", "app", CARE, group=True),
    Command("verify", "verify", "verify", CARE),
    Command("backfill", "backfill", "app", CARE, group=True),
    Command("export", "export", "export", CARE),
    Command("import", "export", "import_", CARE),
    Command("forget", "forget", "forget", CARE),
    Command("doctor", "doctor", "doctor", CARE),
    Command("topics", "topics", "app", CARE, group=True),
    Command("schema", "schema", "app", CARE, group=True),
    Command("quarantine", "quarantine", "app", CARE, group=True),
)


def _version(asked: bool) -> None:
    if asked:
        say(f"sori {metadata.version('sori-event-pipeline')}")
        raise typer.Exit


def build() -> typer.Typer:
    """The whole application, every command registered."""
    app = typer.Typer(
        name="sori",
        help="SORI event pipeline: webhooks in, click-through rates and fraud alerts out.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in COMMANDS:
        target = getattr(importlib.import_module(f"cli.commands.{command.module}"), command.attribute)
        if command.group:
            app.add_typer(target, name=command.name, rich_help_panel=command.panel)
        else:
            run = checked(target) if command.panel in {RUN, STAGES} else target
            app.command(command.name, rich_help_panel=command.panel)(run)
    return app


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the installed version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """SORI event pipeline: webhooks in, click-through rates and fraud alerts out."""


def main() -> None:
    """Entry point: an error of ours is one clear message and exit code 2, never a traceback."""
    try:
        build()()
    except PrerequisiteError as error:
        say(f"error: {error.message}", lines=True, err=True, colour="red")
        say(f"  {error.remedy}", lines=True, err=True)
        sys.exit(2)
    except SoriError as error:
        say(f"error: {error}", lines=True, err=True, colour="red")
        sys.exit(2)


if __name__ == "__main__":
    main()
