"""`sori audit`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cli.shared.kafka_tables import BootstrapOption, settings_for
from cli.shared.kafka_tables import DataDirOption as KafkaDataDirOption
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
from cli.shared.say import say, say_json
from sori.errors import ConfigError, EventError

if TYPE_CHECKING:
    from sori.settings import Settings

app = typer.Typer(help="Compare device logins with your own session records.")
_CLASSES = ("matched", "mismatched", "only_in_sori", "only_in_own")


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    *,
    since: SinceOption = None,
    tolerance: Annotated[int, typer.Option(min=0, help="Seconds by which both sides may differ.")] = 300,
    csv: Annotated[Path | None, typer.Option(help="Write every line to this CSV file.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=0, help="Most lines shown that do not match.")] = 20,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    api_port: ApiPortOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Reconcile the logins that SORI reported with your session records, by session, else by device and time.

    matched: both sides agree. mismatched: same session, another device, account or time. only_in_sori and only_in_own:
    the other side knows nothing of it. Load your side with `sori audit import FILE` or into the topic
    sori.session-records.
    """
    if context.invoked_subcommand is not None:
        return
    from api.query.audit_sql import TIMES, audit_source
    from api.query.engine import rows
    from api.query.row_times import iso

    source = audit_source(tolerance, moment(since))
    with asking(config, data_dir, api_port, token) as engine:
        counts = rows(engine, f"SELECT class, count() AS n FROM {source} GROUP BY class")  # noqa: S608 - ours
        lines = f"SELECT * EXCEPT (at) FROM {source}"  # noqa: S608 - ours
        found = rows(engine, f"{lines} WHERE class != 'matched' ORDER BY class, at LIMIT {limit}") if limit else []
        if csv is not None:
            csv.write_bytes(engine.raw(f"{lines} ORDER BY class, at", "CSVWithNames"))
    by_class = {row["class"]: int(row["n"]) for row in counts}
    if as_json:
        say_json(
            {"counts": {name: by_class.get(name, 0) for name in _CLASSES}, "rows": [iso(row, TIMES) for row in found]},
            indent=2,
        )
    else:
        _show(by_class, found)


def _show(counts: dict[str, int], found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from cli.shared.terminal import Terminal

    console = Terminal()
    table = Table(title="Logins in SORI and in your session records", title_justify="left")
    table.add_column("class")
    table.add_column("logins", justify="right")
    for name in _CLASSES:
        table.add_row(name, f"{counts.get(name, 0):,}")
    console.print(table)
    if not found:
        return
    lines = Table()
    for name in ("class", "account", "session", "device", "login", "own record", "differs in"):
        lines.add_column(name)
    for row in found:
        lines.add_row(
            row["class"],
            row["account_id"],
            row["session"] or "-",
            row["device_id"] or "-",
            row["login_at"] or "-",
            row["own_at"] or "-",
            ", ".join(row["differs"]) or "-",
        )
    console.print(lines)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV with a header line, or NDJSON; - reads NDJSON from standard input.")
    ],
    *,
    account: Annotated[str, typer.Option(help="Account of records that name none.")] = "",
    bootstrap: BootstrapOption = None,
    data_dir: KafkaDataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Load your session records: into Kafka, and from there into ClickHouse.

    Fields: session (or session_id), device_id, account_id, at (or time, timestamp, created_at: ISO 8601 or epoch).
    Other fields are kept beside them. Nothing is loaded when a line is wrong. A record loaded twice counts once.
    """
    from sinks.maintenance.sessions import read_records, to_row

    kind = "csv" if file.suffix.lower() == ".csv" else "ndjson"
    found = []
    with _opened(file) as lines:
        for number, record in read_records(lines, kind):
            try:
                found.append(to_row(record, account=account, source=file.name))
            except EventError as error:
                raise ConfigError(f"{file}, line {number}: {error}") from error
    asyncio.run(_send(settings_for(config, bootstrap, data_dir), found))
    say(f"{len(found):,} session records loaded")


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdin
        return
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error


async def _send(settings: Settings, found: list[dict[str, str]]) -> None:
    import orjson

    from runtime.kafka.clients import bounded, make_producer, running
    from sori.topics import SESSION_RECORDS

    topic, timeout_s = SESSION_RECORDS.name(settings.kafka.topic_prefix), settings.kafka.request_timeout_s
    async with running(make_producer(settings.kafka, linger_ms=20), timeout_s) as producer:
        for row in found:
            await bounded(
                producer.send(topic, orjson.dumps(row), key=row["device_id"].encode() or None), timeout_s, "import"
            )
        await bounded(producer.flush(), 60, "import")
