"""What codecs and orders of the events table cost: python -m bench.schema [--events N] [--json FILE].

Fills the schema's own table with made-up events (as bench.queries does), copies them into one table per candidate and
prints, for each: bytes per event, CPU microseconds per event to write them, and milliseconds of three questions.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from typing import Any

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from bench.queries.corpus import END, fill_events
from bench.schema.candidates import CANDIDATES, QUERIES, statement
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client

_TRIES = 5


def main() -> None:
    """Fill, copy, ask, print."""
    parser = command_line("python -m bench.schema", __doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_client(f"chdb://{folder}/clickhouse", send_receive_timeout=3600) as client,
    ):
        migrations.apply(client)
        fill_events(client, asked.events)
        client.command("OPTIMIZE TABLE events FINAL")
        figures = [measure(client, name) for name in track(list(CANDIDATES), description="candidates")]
    show(figures)
    write_figures(asked.json, figures)


def measure(client: Client, name: str) -> dict[str, Any]:
    """One candidate; its table is gone afterwards."""
    create = client.query("SELECT create_table_query FROM system.tables WHERE name = 'events'").result_rows[0][0]
    client.command(statement(create, "candidate", name))
    try:
        times = os.times()
        client.command("INSERT INTO candidate SELECT * FROM events SETTINGS max_threads = 1, max_insert_threads = 1")
        spent = os.times().user + os.times().system - times.user - times.system
        client.command("OPTIMIZE TABLE candidate FINAL")
        query = "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'candidate'"
        rows, size = client.query(query).result_rows[0]
        return {
            "name": name,
            "bytes_per_event": round(size / rows, 1),
            "cpu_us_per_event": round(spent / rows * 1e6, 2),
            **{f"{question}_ms": _ask(client, sql) for question, sql in QUERIES.items()},
        }
    finally:
        client.command("DROP TABLE candidate SYNC")


def _ask(client: Client, sql: str) -> float:
    times = []
    for _ in range(_TRIES + 1):
        begun = time.perf_counter()
        client.raw_query(sql.format(table="candidate", end=END), fmt="Null")
        times.append((time.perf_counter() - begun) * 1000)
    return round(statistics.median(times[1:]), 1)


def show(figures: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table(title="Ways to store an event", title_justify="left")
    for column in figures[0]:
        table.add_column(column.replace("_", " "), justify="left" if column == "name" else "right")
    for figure in figures:
        table.add_row(*map(str, figure.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
