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
            help="Id of the alert or incident, or how it begins; default: the newest alert.",
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
    Of an incident: what it is about, and its alerts.

    The statistic and the thresholds are those in force now; where the floor was another, that is said.

    Example: `sori explain 6f2c91d0 --events 50`
    """
    from cli.shared.alert_view import show
    from cli.shared.asked_routes import incident, story
    from cli.shared.incident_view import show as show_incident
    from cli.shared.rule_cards import cards
    from cli.shared.terminal import Terminal
    from sori.errors import QueryError

    settings = settings_of(config, data_dir)
    with asking(config, data_dir, api_port, token) as engine:
        asked = _newest(engine) if alert_id is None else alert_id
        try:
            told = story(engine, asked, settings.streams.pane_s, cards(settings), events)
        except QueryError:
            found = incident(engine, asked)
            if found is None:
                raise
            told = found
    if as_json:
        say_json(told, indent=2)
    elif "incident" in told:
        show_incident(Terminal(), told)
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
