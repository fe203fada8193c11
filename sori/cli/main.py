"""`sori`: one command per stage and per question. Each command imports its stage only when it runs."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

import typer

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
    Command("demo", "cmd_demo", "demo", RUN),
    Command("up", "cmd_up", "up", RUN),
    Command("simulate", "cmd_simulate", "simulate", RUN),
    Command("sign", "cmd_sign", "sign", RUN),
    Command("ingest", "cmd_ingest", "ingest", STAGES),
    Command("streams", "cmd_streams", "streams", STAGES),
    Command("sinks", "cmd_sinks", "sinks", STAGES),
    Command("notify", "cmd_notify", "notify", STAGES),
    Command("api", "cmd_api", "api", STAGES),
    Command("broker", "cmd_broker", "broker", STAGES),
    Command("query", "cmd_query", "query", ASK),
    Command("ctr", "cmd_ctr", "ctr", ASK),
    Command("alerts", "cmd_alerts", "alerts", ASK),
    Command("explain", "cmd_explain", "explain", ASK),
    Command("backtest", "cmd_backtest", "backtest", ASK),
    Command("audit", "cmd_audit", "app", ASK, group=True),
    Command("subscribers", "cmd_subscribers", "app", CARE, group=True),
    Command("tokens", "cmd_tokens", "app", CARE, group=True),
    Command("verify", "cmd_verify", "verify", CARE),
    Command("backfill", "cmd_backfill", "app", CARE, group=True),
    Command("export", "cmd_export", "export", CARE),
    Command("import", "cmd_export", "import_", CARE),
    Command("forget", "cmd_forget", "forget", CARE),
    Command("doctor", "cmd_doctor", "doctor", CARE),
    Command("topics", "cmd_topics", "app", CARE, group=True),
    Command("schema", "cmd_schema", "app", CARE, group=True),
    Command("quarantine", "cmd_quarantine", "app", CARE, group=True),
)


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
    for command in COMMANDS:
        target = getattr(importlib.import_module(f"sori.cli.{command.module}"), command.attribute)
        if command.group:
            app.add_typer(target, name=command.name, rich_help_panel=command.panel)
        else:
            app.command(command.name, rich_help_panel=command.panel)(target)
    return app


def main() -> None:
    """Entry point: an error of ours is one clear message and exit code 2, never a traceback."""
    try:
        build()()
    except PrerequisiteError as error:
        typer.secho(f"error: {error.message}", fg="red", err=True)
        typer.echo(f"  {error.remedy}", err=True)
        sys.exit(2)
    except SoriError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
