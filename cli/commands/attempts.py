"""`sori subscribers attempts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.query_options import (
    ApiPortOption,
    ConfigOption,
    DataDirOption,
    JsonOption,
    SinceOption,
    TokenOption,
    asking,
    moment,
)
from cli.shared.say import say_json_lines
from sori.errors import QueryError

if TYPE_CHECKING:
    from rich.table import Table

    from api.query.engine import Engine

_COLOURS = {"delivered": "green", "retry": "yellow", "held": "yellow", "exhausted": "red"}


def attempts(
    subscription: Annotated[str, typer.Argument(help="The subscription's id, or its beginning.")],
    *,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="Only delivered, retry, held or exhausted; repeatable.", show_default=False),
    ] = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most attempts shown.")] = 20,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """What became of a subscription's webhooks, latest first; also of one that was removed.

    delivered: taken. retry: it will be tried again. held: the subscriber takes nothing, it waits. exhausted: given up.
    """
    from api.query.engine import rows
    from api.subscriptions.attempts import as_attempt, attempts_sql, known_outcomes
    from cli.shared.terminal import Terminal

    outcomes = known_outcomes(outcome or [])
    with asking(config, data_dir, api_port, token) as engine:
        found_id = _find(engine, subscription)
        found = rows(engine, attempts_sql(found_id, outcomes=outcomes, since=moment(since), limit=limit))
    if as_json:
        say_json_lines(map(as_attempt, found))
        return
    Terminal().print(_table(found) if found else "no attempts")


def _find(engine: Engine, wanted: str) -> str:
    """The one whose id begins so. Raises QueryError unless there is exactly one."""
    from api.query.ctr_sql import quote
    from api.query.engine import rows

    beginning = "sub_" + wanted.removeprefix("sub_")
    sql = (
        f"SELECT DISTINCT subscription_id FROM delivery_attempts WHERE startsWith(subscription_id, {quote(beginning)}) "  # noqa: S608 - quoted
        "ORDER BY subscription_id LIMIT 2"
    )
    found: list[str] = [row["subscription_id"] for row in rows(engine, sql)]
    if beginning in found:
        return beginning
    if len(found) > 1:
        raise QueryError(f"several subscriptions with attempts have an id that begins with {wanted!r}")
    if not found:
        raise QueryError(f"no attempts are stored of a subscription whose id begins with {wanted!r}")
    return found[0]


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from cli.shared.terminal import styled

    table = Table()
    for name in ("at", "webhook", "try", "answer", "ms", "outcome"):
        right = name in ("try", "ms")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != "webhook")
    for row in found:
        colour = _COLOURS.get(row["outcome"], "white")
        table.add_row(
            row["attempted_at"][5:19],
            row["webhook_id"],
            str(row["attempt"]),
            str(row["status"] or row["error"]),
            f"{row['duration_ms']:.0f}",
            styled(colour, row["outcome"]),
        )
    return table
