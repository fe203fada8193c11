"""`python -m bench.backtest`: events a second of a backtest from a Parquet file, on one core.

The corpus is that of `make bench-streams`, in the form that `sori export` writes. Reading, decompression, both hops
and the collector are in it; both hops' operators are those that run live. By CPU time too, since that is what a busy
machine does not distort.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka.partitioner import murmur2
from rich.console import Console
from rich.table import Table

from bench.streams.corpus import deliveries
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from streams.backtest.history import Span
from streams.backtest.parquet import ParquetHistory
from streams.backtest.replay import Replay

PARTITIONS = 6
_NAMES = ("kafka_partition", "kafka_offset", "received_ms", "raw", "header_identity")


def write(path: Path, events: int, per_second: int) -> None:
    """A file as `sori export` writes it: by partition and offset."""
    offsets = [0] * PARTITIONS
    rows: list[tuple[int, int, int, bytes, bytes]] = []
    for one in deliveries(events, per_second):
        number = (murmur2(one.key) & 0x7FFFFFFF) % PARTITIONS
        rows.append((number, offsets[number], one.time_ms, one.body, one.headers[5][1]))
        offsets[number] += 1
    rows.sort(key=lambda row: row[:2])
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(dict(zip(_NAMES, columns, strict=True))), path, compression="zstd")


def measure(path: Path, variants: int) -> dict[str, float | str]:
    """One backtest of the rules in force against themselves (`variants` 2), or of them alone."""
    settings, rules = StreamsSettings(), [RulesSettings()] * variants
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    began, cpu = time.perf_counter(), time.process_time()
    history, span = ParquetHistory(path), Span()
    replay = Replay(settings, rules, history.facts(span))
    for step in history.read(span):
        replay.take(step)
    replay.finish()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return {
        "name": "rules in force" if variants == 1 else "new rules against those in force",
        "events": replay.events,
        "events_per_s": replay.events / seconds,
        "cpu_us_per_event": used / replay.events * 1e6,
        "alerts": len(replay.alerts[0]),
    }


def main() -> None:
    """Write the file, run, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__)
    parser.add_argument("--events", type=int, default=600_000, help="size of the corpus")
    parser.add_argument("--per-second", type=int, default=5_000, help="events per second of event time")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        with console.status(f"writing {options.events:,} events"):
            write(path, options.events, options.per_second)
        results = [measure(path, variants) for variants in (1, 2)]
    table = Table("backtest of", "events/s", "events per CPU second", "CPU µs/event", "alerts")
    for row in results:
        per_cpu = 1e6 / float(row["cpu_us_per_event"])
        figures = (f"{row['events_per_s']:,.0f}", f"{per_cpu:,.0f}", f"{row['cpu_us_per_event']:.2f}")
        table.add_row(str(row["name"]), *figures, str(row["alerts"]))
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
