"""`sori explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.shared.query_options import ApiPortOption, ConfigOption, DataDirOption, TokenOption, asking, settings_of
from cli.shared.say import say_json


def explain(
    alert_id: Annotated[
        str | None,
        typer.Argument(
            help="Id of the alert, or how it begins, as `sori alerts` shows it; default: the newest.",
            show_default=False,
        ),
    ] = None,
    *,
    events: Annotated[int, typer.Option(min=0, max=10_000, help="Most raw events shown.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show why an alert was raised: its states, its panes before and during it, the rule, the thresholds, the events.

    The statistic and the thresholds are those in force now; where the floor was another, that is said.

    Example: `sori explain 6f2c91d0 --events 50`
    """
    from cli.shared.alert_view import show
    from cli.shared.asked_routes import story
    from cli.shared.rule_cards import cards
    from cli.shared.terminal import Terminal

    settings = settings_of(config, data_dir)
    with asking(config, data_dir, api_port, token) as engine:
        told = story(
            engine, _newest(engine) if alert_id is None else alert_id, settings.streams.pane_s, cards(settings), events
        )
    if as_json:
        say_json(told, indent=2)
    else:
        show(Terminal(), told)


def _newest(engine: Any) -> str:
    """Id of the alert that changed last. Raises QueryError where there is none."""
    from cli.shared.asked_routes import alerts
    from sori.errors import QueryError

    found = alerts(engine, {}, None, 1)
    if not found:
        raise QueryError("there is no alert yet; `sori simulate` sends traffic with fraud in it")
    return str(found[0]["alert_id"])
