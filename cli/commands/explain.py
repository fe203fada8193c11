"""`sori explain`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.query_options import ApiPortOption, ConfigOption, DataDirOption, TokenOption, asking, settings_of
from cli.shared.say import say_json
from sori.errors import QueryError

if TYPE_CHECKING:
    from api.query.engine import Engine
    from sori.settings import Settings


def explain(
    alert_id: Annotated[str, typer.Argument(help="Id of the alert, or how it begins, as `sori alerts` shows it.")],
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
    from cli.shared.terminal import Terminal

    settings = settings_of(config, data_dir)
    with asking(config, data_dir, api_port, token) as engine:
        story = tell(engine, settings, alert_id, events)
    if as_json:
        say_json(story, indent=2)
    else:
        show(Terminal(), story)


def tell(engine: Engine, settings: Settings, alert_id: str, limit: int) -> dict[str, Any]:
    """All that is known of an alert. Raises QueryError where there is none, or more than one that begins so."""
    from api.query import alert_story_sql
    from api.query.engine import rows
    from cli.shared.alert_view import filled
    from streams.rules.registry import card

    found = rows(engine, alert_story_sql.alert_sql(alert_id)) if alert_id else []
    if not found:
        raise QueryError(
            f"no alert {alert_id!r} is stored; a new one takes a second to arrive. `sori alerts` lists them"
        )
    if len(found) > 1 and found[0]["alert_id"] != alert_id:
        raise QueryError(
            f"several alerts begin with {alert_id!r}, such as {' and '.join(a['alert_id'] for a in found)}"
        )
    alert = found[0]
    evidence = json.loads(alert.pop("evidence") or "{}")
    rule = card(alert["rule"], settings.rules, alert["account_id"], settings.streams.window_s)
    pane_s, before_s = settings.streams.pane_s, rule.before_s if rule else 300
    samples = evidence.get("sample_event_ids", [])
    return {
        "alert": alert,
        "evidence": evidence,
        "states": rows(engine, alert_story_sql.states_sql(alert)),
        "pane_s": pane_s,
        "panes": filled(rows(engine, alert_story_sql.panes_sql(alert, pane_s, before_s)), pane_s),
        "rule": asdict(rule) if rule else None,
        "events": rows(engine, alert_story_sql.events_sql(alert, samples, rule.judges if rule else (), limit)),
    }
