"""Milliseconds and bytes of questions and panels: python -m bench.queries [--events N] [--keep FOLDER] [--json FILE].

The ten questions of docs/queries.md, every panel of the Grafana dashboards over its own range, a week and a month, the
console's pages of figures over a month, look-ups of single events, the export of an hour, and a device that is
forgotten. What only reads is asked several times on an embedded engine whose file cache is warm, and which remembers no
conditions; the figure is the median. Also prints what an event costs on disk.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from bench.queries.console import console_figures
from bench.queries.corpus import END, fill
from bench.queries.dashboards import Asked, dashboard_queries
from bench.queries.questions import QUESTIONS
from bench.queries.single_events import export_of_an_hour, first_page, forgotten_device, look_ups
from bench.queries.timing import cost
from runtime.clickhouse import migrations
from runtime.clickhouse.client import open_client


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
            figures = [_question(client, name) for name in QUESTIONS]
            panels = [_panel(client, panel) for panel in track(list(dashboard_queries(END)), description="panels")]
            console = console_figures(client, END)
            single = [*look_ups(client), export_of_an_hour(client), forgotten_device(client), first_page(client)]
            sizes = disk(client)
    show(figures, panels, sizes)
    Console().print(*console, *single, sep="\n")
    write_figures(
        asked.json, {"queries": figures, "panels": panels, "console": console, "single": single, "disk": sizes}
    )


def _question(client: Client, name: str) -> dict[str, Any]:
    _, sql, dashboard = QUESTIONS[name]
    return {"name": name, **cost(client, sql.replace("{end}", f"toDateTime({END}, 'UTC')")), "dashboard": dashboard}


def _panel(client: Client, asked: Asked) -> dict[str, Any]:
    named = {"board": asked.board, "panel": asked.panel, "hours": asked.hours}
    return {**named, **cost(client, asked.sql, times=3)}


def disk(client: Client) -> list[dict[str, Any]]:
    """Rows and bytes of each table."""
    query = """SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts
               WHERE active AND database = currentDatabase() GROUP BY table HAVING n > 1000 ORDER BY bytes DESC"""
    return [{"table": t, "rows": n, "bytes_per_row": round(b / n, 1)} for t, n, b in client.query(query).result_rows]


def show(figures: list[dict[str, Any]], panels: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> None:
    """The tables; panels with the slowest first."""
    table = Table(title="The ten questions", title_justify="left")
    for name in ("question", "ms", "MB read", "rows read", "rows"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for f in figures:
        mark = "" if f["dashboard"] else " (not a dashboard's)"
        question = QUESTIONS[f["name"]][0] + mark
        table.add_row(question, f"{f['ms']:.1f}", f"{f['mb_read']:.2f}", f"{f['rows_read']:,}", f"{f['rows']:,}")
    Console().print(table)
    table = Table(title="The dashboards' panels, slowest first", title_justify="left")
    for name in ("dashboard", "panel", "hours", "ms", "MB read", "rows read", "rows"):
        table.add_column(name, justify="left" if name in ("dashboard", "panel") else "right")
    for p in sorted(panels, key=lambda p: -p["ms"]):
        numbers = (str(p["hours"]), f"{p['ms']:.1f}", f"{p['mb_read']:.2f}", f"{p['rows_read']:,}", f"{p['rows']:,}")
        table.add_row(p["board"], p["panel"], *numbers)
    Console().print(table)
    table = Table(title="On disk", title_justify="left")
    for name in ("table", "rows", "bytes/row"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for size in sizes:
        table.add_row(size["table"], f"{size['rows']:,}", str(size["bytes_per_row"]))
    Console().print(table)


if __name__ == "__main__":
    main()
