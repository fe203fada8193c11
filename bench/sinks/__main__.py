"""Rows per second into ClickHouse, beside its peers: python -m bench.sinks [--events N] [--json FILE].

ours               from what a fetch brings (lz4, unpacked here) to stored rows (parsed in ClickHouse, raw body kept)
row-wise           the usual way: json.loads, rows of Python values, client.insert into the same table
clickhouse-only    the same bodies from a file into the same table: no Python per event, no header and no offset
clickhouse-blocks  the rows of `ours` as blocks that were made before, no Python per event: the ceiling
ours-ctr           CTR rows (NDJSON, unparsed in Python)
ours-end-to-end    events waiting in a real Kafka, through the whole sink, until they can be queried

Every peer runs alone in a process of its own with the embedded engine, so CPU time includes ClickHouse's.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.common.command_line import command_line, write_figures
from broker.process import EmbeddedBroker

PEERS = {
    "ours": 1.0,
    "row-wise": 0.2,
    "clickhouse-only": 1.0,
    "clickhouse-blocks": 1.0,
    "ours-ctr": 1.0,
    "ours-end-to-end": 1.0,
}


def main() -> None:
    """Run every peer, print the table, write the figures."""
    parser = command_line("python -m bench.sinks", __doc__)
    parser.add_argument("--events", type=int, default=500_000, help="events per peer (row-wise: a fifth)")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated subset")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.peers.split(","), asked.events))
    show(figures)
    write_figures(asked.json, figures)


async def measure(names: list[str], count: int) -> list[dict[str, Any]]:
    """Figures of each peer; only the end-to-end one has a broker beside it."""
    figures = []
    for name in names:
        rows = max(1000, int(count * PEERS[name]))
        if name != "ours-end-to-end":
            figures.append(await asyncio.to_thread(run_peer, name, rows, "-"))
            continue
        with tempfile.TemporaryDirectory() as folder:
            async with EmbeddedBroker(Path(folder)) as kafka:
                figures.append(await asyncio.to_thread(run_peer, name, rows, kafka.bootstrap))
    return figures


def run_peer(name: str, rows: int, bootstrap: str) -> dict[str, Any]:
    """One peer in its own process."""
    command = [sys.executable, "-m", "bench.sinks.peers", name, str(rows), bootstrap]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(figures: list[dict[str, Any]]) -> None:
    """The table."""
    base = next((f["events_per_s"] for f in figures if f["name"] == "row-wise"), None)
    table = Table(title="Into ClickHouse (embedded engine)", title_justify="left")
    table.add_column("name")
    for name in ("rows/s", "CPU µs/row", "rows", "seconds", "x row-wise"):
        table.add_column(name, justify="right")
    for f in figures:
        ratio = f"{f['events_per_s'] / base:.1f}" if base else "-"
        table.add_row(
            f["name"],
            f"{f['events_per_s']:,}",
            str(f["cpu_us_per_event"]),
            f"{f['events']:,}",
            str(f["seconds"]),
            ratio,
        )
    Console().print(table)


if __name__ == "__main__":
    main()
