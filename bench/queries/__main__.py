"""Milliseconds and bytes of the ten questions: python -m bench.queries [--events N] [--keep FOLDER] [--json FILE].

Each is asked five times on an embedded engine whose file cache is warm; the figure is the median. Also prints what an
event costs on disk.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Table

from bench.command_line import command_line, write_figures
from bench.queries.corpus import END, fill
from bench.queries.questions import QUESTIONS
from runtime import migrations
from runtime.clickhouse import open_client


def main() -> None:
    """Fill, ask, print."""
    parser = command_line("python -m bench.queries", __doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--keep", type=Path, help="keep the database here, and use it when it is there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        with open_client(f"chdb://{(folder / 'clickhouse').absolute()}", send_receive_timeout=3600) as client:
            migrations.apply(client)
            if not client.command("SELECT count() FROM events"):
                fill(client, asked.events)
            figures = [measure(client, name) for name in QUESTIONS]
            sizes = disk(client)
    show(figures, sizes)
    write_figures(asked.json, {"queries": figures, "disk": sizes})


def measure(client: Client, name: str) -> dict[str, Any]:
    """One question, five times."""
    _, sql, dashboard = QUESTIONS[name]
    sql = sql.replace("{end}", f"toDateTime({END}, 'UTC')")
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        answer = json.loads(client.raw_query(sql, fmt="JSON"))
        times.append((time.perf_counter() - begun) * 1000)
    read = answer["statistics"]
    return {
        "name": name,
        "ms": round(statistics.median(times[1:]), 1),
        "mb_read": round(read["bytes_read"] / 1e6, 2),
        "rows_read": read["rows_read"],
        "rows": answer["rows"],
        "dashboard": dashboard,
    }


def disk(client: Client) -> list[dict[str, Any]]:
    """Rows and bytes of each table."""
    query = """SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts
               WHERE active AND database = currentDatabase() GROUP BY table HAVING n > 1000 ORDER BY bytes DESC"""
    return [{"table": t, "rows": n, "bytes_per_row": round(b / n, 1)} for t, n, b in client.query(query).result_rows]


def show(figures: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> None:
    """Both tables."""
    table = Table(title="The ten questions", title_justify="left")
    for name in ("question", "ms", "MB read", "rows read", "rows"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for f in figures:
        mark = "" if f["dashboard"] else " (not a dashboard's)"
        question = QUESTIONS[f["name"]][0] + mark
        table.add_row(question, f"{f['ms']:.1f}", f"{f['mb_read']:.2f}", f"{f['rows_read']:,}", f"{f['rows']:,}")
    Console().print(table)
    table = Table(title="On disk", title_justify="left")
    for name in ("table", "rows", "bytes/row"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for size in sizes:
        table.add_row(size["table"], f"{size['rows']:,}", str(size["bytes_per_row"]))
    Console().print(table)


if __name__ == "__main__":
    main()
