"""Options and set-up that the asking commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.shared.say import say
from sori.settings import Settings, load_settings

if TYPE_CHECKING:
    from api.query.engine import Engine

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).", show_default=False)]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of `sori up`; its ClickHouse is asked, through its API while it runs. Default: .sori.",
        show_default=False,
    ),
]
ApiPortOption = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Ask the API on this port of this machine.", show_default=False),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="SORI_TOKEN",
        help="Token for the API, from `sori tokens create`. Default: the one in the data directory, while it runs.",
        show_default=False,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(help="Only what is newer: 15m, 2h, 7d, or an ISO 8601 time.", show_default=False),
]
UntilOption = Annotated[
    str | None,
    typer.Option(help="Only what is older, written like --since.", show_default=False),
]
AccountOption = Annotated[str | None, typer.Option(help="Only this account.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead, one object per row, a line each.")]


def many(what: str) -> Any:
    """An option that may be repeated."""
    return typer.Option(help=f"Only this {what}; repeatable.", show_default=False)


AccountsOption = Annotated[list[str] | None, many("account")]
CampaignsOption = Annotated[list[str] | None, many("campaign")]
DevicesOption = Annotated[list[str] | None, many("device")]
PlacesOption = Annotated[list[str] | None, many("place (country, country/region or country/region/city)")]
SeveritiesOption = Annotated[list[str] | None, many("severity: low, medium, high, critical")]


def settings_of(config: Path | None, data_dir: Path | None, **groups: Any) -> Settings:
    """Settings, with a data directory given on the command line on top."""
    top: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    return load_settings(config, **top, **groups)


@contextmanager
def asking(
    config: Path | None, data_dir: Path | None, api_port: int | None, token: str | None = None, *, quiet: bool = False
) -> Iterator[Engine]:
    """Somebody who answers queries, closed at the end. Says on standard error who that is, unless `quiet`."""
    from api.query.open_engine import open_engine

    engine = open_engine(settings_of(config, data_dir), api_port=api_port, token=token)
    if not quiet:
        say(f"asking {engine.whom}", err=True)
    try:
        yield engine
    finally:
        engine.close()


def moment(since: str | None) -> datetime | None:
    """The --since option as a time."""
    from api.query.ctr_sql import parse_since

    return parse_since(since, datetime.now(UTC)) if since else None
