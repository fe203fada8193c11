"""`sori subscribers`: who is told of fraud alerts. Works on Kafka directly, with or without the API."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.commands.attempts import attempts
from cli.shared.kafka_tables import BootstrapOption, ConfigOption, DataDirOption, now_ms, settings_for, with_table
from cli.shared.query_options import JsonOption
from cli.shared.say import say, say_json
from sori.alerting.subscriptions import Format, Per, Subscription, decode, encode
from sori.errors import ConfigError, QueryError, StorageUnavailable
from sori.settings import Settings
from sori.suggest import none_of
from sori.topics import SUBSCRIPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.kafka.compacted_table import CompactedTable

app = typer.Typer(no_args_is_help=True, help="Manage who is told of fraud alerts, by signed webhooks.")

app.command("attempts")(attempts)

_TEST_WAIT_S = 30.0
_SHOWN_ID = 12  # of 36 characters: enough to name one
IdArgument = Annotated[str, typer.Argument(help="The subscription's id, or its beginning.")]


def _many(what: str) -> Any:
    return typer.Option(help=f"Only alerts of this {what}; repeatable.", show_default=False)


@app.command("add")
def add(
    url: Annotated[
        str,
        typer.Argument(
            help="Where the webhooks go (https unless SORI_NOTIFY__ALLOW_HTTP is set), or mailto:you@example.com."
        ),
    ],
    *,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    style: Annotated[
        str, typer.Option("--format", help="standard, slack, teams, pagerduty or alertmanager.")
    ] = "standard",
    routing_key: Annotated[str, typer.Option(help="Of --format pagerduty: the service's integration key.")] = "",
    digest: Annotated[
        str, typer.Option(help="Of e-mail: one message per so long, such as 15m, 1h, 1d; else one per alert.")
    ] = "",
    per: Annotated[
        str, typer.Option(help="A message per incident or per alert. Default: incident for people, alert for machines.")
    ] = "",
    account: Annotated[list[str] | None, _many("account")] = None,
    rule: Annotated[list[str] | None, _many("rule")] = None,
    severity: Annotated[list[str] | None, _many("severity")] = None,
    place: Annotated[list[str] | None, _many("place (country, country/region or country/region/city)")] = None,
    campaign: Annotated[list[str] | None, _many("campaign")] = None,
    state: Annotated[list[str] | None, _many("state (opened, updated, closed, or open: not closed)")] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Subscribe an address; prints the secret that its webhooks are signed with, this once."""
    from api.alerts.filters import asked_filter
    from sori.alerting.standard_webhooks import new_secret
    from sori.alerting.subscriptions import new_id, usual_per

    wanted = asked_filter(
        {"account": account, "rule": rule, "severity": severity, "place": place, "campaign": campaign, "state": state}
    )
    if style not in get_args(Format):
        raise ConfigError(none_of("--format", style, get_args(Format)))
    if (style == "pagerduty") != bool(routing_key):
        raise ConfigError("--routing-key: --format pagerduty needs the service's integration key, no other does")
    if per and per not in get_args(Per):
        raise ConfigError(none_of("--per", per, get_args(Per)))
    settings = settings_for(config, bootstrap, data_dir)
    one = Subscription(
        id=new_id(),
        url=url,
        secret=new_secret(),
        created_ms=now_ms(),
        name=name,
        owner="cli",
        format=style,  # type: ignore[arg-type]  # checked above
        filter=wanted,
        routing_key=routing_key,
        digest_s=_digest_s(digest),
        per=per or usual_per(url, style),  # type: ignore[arg-type]  # checked above
    )
    _check(one, settings)
    with_table(settings, SUBSCRIPTIONS, lambda table: table.put(one.id, encode(one)))
    say(one.id)
    say(f"secret: {one.secret}")


@app.command("list")
def list_(
    *,
    as_json: JsonOption = False,
    urls: Annotated[
        bool, typer.Option("--urls", help="Whole addresses, with the secrets that may be in them.")
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Every subscription, and where its deliveries stand."""
    from rich.table import Table

    from api.subscriptions.store import shown
    from cli.shared.terminal import Terminal
    from sori.alerting.targets import shortened
    from sori.topics import DELIVERY_STATE

    settings = settings_for(config, bootstrap, data_dir)

    async def read(table: CompactedTable) -> dict[str, bytes]:
        return dict(table.values)

    subscriptions = with_table(settings, SUBSCRIPTIONS, read)
    states = with_table(settings, DELIVERY_STATE, read)
    found = sorted((decode(value) for value in subscriptions.values()), key=lambda one: one.created_ms)
    if as_json:
        for one in found:
            row = shown(one, states.get(one.id))
            say_json(row if urls else {**row, "url": shortened(one.url)})
        return
    table = Table()
    for name in ("id", "name", "url", "only", "status", "waiting"):
        table.add_column(name, no_wrap=name == "id", overflow="fold", justify="right" if name == "waiting" else "left")
    for one in found:
        row = shown(one, states.get(one.id))
        only = ", ".join(f"{field}: {' '.join(values)}" for field, values in row["filter"].items() if values)
        if one.scope is not None:
            only = f"{only} (token of {' '.join(one.scope)})".strip()
        address = one.url if urls else shortened(one.url)
        url = address if one.format == "standard" else f"{address} ({one.format})"
        table.add_row(one.id[:_SHOWN_ID], one.name, url, only or "-", row["status"], str(row["waiting"]))
    Terminal().print(table)


@app.command("pause")
def pause(
    subscription: IdArgument,
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Go on; also enables one that was disabled.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Stop delivering, and keep what comes; `--resume` delivers it."""

    def change(one: Subscription) -> Subscription:
        return one.asked("resume", now_ms()).changed(paused=False) if resume else one.changed(paused=True)

    one = _change(settings_for(config, bootstrap, data_dir), subscription, change)
    say(f"{one.id} {'resumed' if resume else 'paused'}")


@app.command("rotate")
def rotate(
    subscription: IdArgument,
    *,
    grace_s: Annotated[
        float | None,
        typer.Option(
            min=0, help="How long the former secret signs too, seconds. Default: the setting.", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make a new secret and print it; webhooks carry both signatures for a while."""
    settings = settings_for(config, bootstrap, data_dir)
    grace = settings.notify.rotation_grace_s if grace_s is None else grace_s
    one = _change(settings, subscription, lambda one: one.rotated(now_ms(), int(grace * 1000)))
    say(one.id)
    say(f"secret: {one.secret}")


@app.command("redeliver")
def redeliver(
    subscription: IdArgument,
    *,
    since: Annotated[str, typer.Option(help="15m, 2h, 7d, or an ISO 8601 time.")],
    until: Annotated[str | None, typer.Option(help="As --since. Default: now.", show_default=False)] = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send the alerts of a time once more, with the webhook-ids they had."""
    from api.query.ctr_sql import parse_since

    now = datetime.now(UTC)
    bounds = [int(parse_since(text, now).timestamp() * 1000) if text else now_ms() for text in (since, until)]
    one = _change(
        settings_for(config, bootstrap, data_dir),
        subscription,
        lambda one: one.asked("redeliver", now_ms(), bounds[0], bounds[1]),
    )
    say(f"{one.id} will get them again")


@app.command("remove")
def remove(
    subscription: IdArgument,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """End a subscription; what waits for it is not delivered."""

    async def work(table: CompactedTable) -> str:
        one = _find(table, subscription)
        await table.put(one.id, None)
        return one.id

    say(f"{with_table(settings_for(config, bootstrap, data_dir), SUBSCRIPTIONS, work)} removed")


@app.command("test")
def send_test(
    subscription: IdArgument,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Send a test delivery and say what came of it; exit code 1 when it was not taken. `sori notify` must run."""
    settings = settings_for(config, bootstrap, data_dir)
    row = asyncio.run(_test(settings, subscription))
    answer = row["status"] or row["error"]
    say(f"{row['host']} answered {answer} after {row['duration_ms']:g} ms: {row['outcome']}")
    if row["outcome"] != "delivered":
        raise typer.Exit(1)


async def _test(settings: Settings, wanted: str) -> dict[str, Any]:
    """Ask for it, and wait for the attempt to be recorded."""
    import orjson

    from runtime.kafka import clients
    from runtime.kafka.compacted_table import CompactedTable
    from sori.topics import DELIVERY_ATTEMPTS

    kafka = settings.kafka
    topic = DELIVERY_ATTEMPTS.name(kafka.topic_prefix)
    reader = clients.make_consumer(kafka, topic, auto_offset_reset="latest")
    async with (
        clients.running(reader, kafka.request_timeout_s),
        CompactedTable(kafka, SUBSCRIPTIONS).running() as table,
    ):
        for partition in reader.assignment():
            await reader.position(partition)  # settles where "latest" is before anything is asked for
        one = _find(table, wanted).asked("test", now_ms())
        await table.put(one.id, encode(one))
        webhook_id = f"msg_test_{one.id}_{one.requests[-1].seq}"
        deadline = asyncio.get_running_loop().time() + _TEST_WAIT_S
        while asyncio.get_running_loop().time() < deadline:
            for records in (await reader.getmany(timeout_ms=200)).values():
                for line in (line for record in records for line in (record.value or b"").splitlines()):
                    row: dict[str, Any] = orjson.loads(line)
                    if row["webhook_id"] == webhook_id:
                        return row
    raise StorageUnavailable(f"nothing was sent within {_TEST_WAIT_S:g} s: is `sori notify` running?")


def _change(settings: Settings, wanted: str, change: Callable[[Subscription], Subscription]) -> Subscription:
    async def work(table: CompactedTable) -> Subscription:
        after = change(_find(table, wanted))
        await table.put(after.id, encode(after))
        return after

    return with_table(settings, SUBSCRIPTIONS, work)


def _find(table: CompactedTable, wanted: str) -> Subscription:
    """The one whose id begins so. Raises QueryError unless there is exactly one."""
    found = [
        key for key in table.values if key == wanted or key.removeprefix("sub_").startswith(wanted.removeprefix("sub_"))
    ]
    if len(found) != 1:
        raise QueryError(f"{len(found)} subscriptions have an id that begins with {wanted!r}")
    return decode(table.values[found[0]])


def _digest_s(text: str) -> int:
    """Seconds of 15m, 1h, 1d; 0 where nothing is asked for. Raises QueryError."""
    from api.query.ctr_sql import parse_since

    now = datetime.now(UTC)
    return int((now - parse_since(text, now)).total_seconds()) if text else 0


def _check(one: Subscription, settings: Settings) -> None:
    settings.notify.check_target(one.url)
    one.check()
