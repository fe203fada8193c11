"""`sori tokens`: who may use the API. Works on Kafka directly; the API learns of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.kafka_tables import BootstrapOption, ConfigOption, DataDirOption, now_ms, settings_for, when, with_table
from cli.shared.say import say
from sori.alerting import tokens
from sori.errors import QueryError
from sori.topics import API_TOKENS

if TYPE_CHECKING:
    from runtime.kafka.compacted_table import CompactedTable

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke tokens of the API.")


@app.command("create")
def create(
    *,
    account: Annotated[
        list[str] | None,
        typer.Option(help="Only this account; repeatable. Without it: every account, and SQL.", show_default=False),
    ] = None,
    manage: Annotated[bool, typer.Option("--manage", help="May also change subscriptions; else only read.")] = False,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Expires after so many days.", show_default=False)] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a token and print it, this once: Kafka keeps only its SHA-256. Send it as `Authorization: Bearer …`."""
    now = now_ms()
    token, text = tokens.new_token(
        "manage" if manage else "read",
        tuple(account) if account else None,
        name=name,
        now_ms=now,
        expires_ms=None if days is None else now + days * 86_400_000,
    )
    with_table(
        settings_for(config, bootstrap, data_dir), API_TOKENS, lambda table: table.put(token.id, tokens.encode(token))
    )
    say(text)


@app.command("list")
def list_(config: ConfigOption = None, bootstrap: BootstrapOption = None, data_dir: DataDirOption = None) -> None:
    """Every token, without its secret."""
    from rich.table import Table

    from cli.shared.terminal import Terminal

    async def read(table: CompactedTable) -> list[tokens.Token]:
        return [tokens.decode(value) for value in table.values.values()]

    shown = Table()
    for column in ("id", "name", "may", "accounts", "created", "expires"):
        shown.add_column(column, no_wrap=column not in {"name", "accounts"}, overflow="fold")
    for token in with_table(settings_for(config, bootstrap, data_dir), API_TOKENS, read):
        accounts = "every" if token.accounts is None else " ".join(token.accounts)
        expires = "never" if token.expires_ms is None else when(token.expires_ms)[:10]
        shown.add_row(token.id, token.name, token.right, accounts, when(token.created_ms)[:10], expires)
    Terminal().print(shown)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="The token's id.")],
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """End a token: requests are refused at once, open streams end within seconds."""

    async def work(table: CompactedTable) -> None:
        if token not in table.values:
            raise QueryError(f"there is no token {token!r}")
        await table.put(token, None)

    with_table(settings_for(config, bootstrap, data_dir), API_TOKENS, work)
    say(f"{token} revoked")
