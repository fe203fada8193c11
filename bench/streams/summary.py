"""Medians of the rounds, ratios, and the table a person reads."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from bench.streams.measure import Sample
from bench.streams.peers import Peer

Row = Mapping[str, object]
_FIELDS = ("events", "events_per_s", "cpu_us_per_event", "whole_events_per_s", "cpu_total_s", "busy", "rss_mb")


@dataclass(frozen=True)
class Outcome:
    """One peer in one round; no sample where it did not run to the end."""

    peer: Peer
    sample: Sample | None
    verdict: str


def figures(outcomes: Sequence[Outcome]) -> list[Row]:
    """One row per peer: medians, the verdict of all rounds, and how many times ours is better, by rate and by CPU.

    A ratio is the median of the rounds' own ratios, which a machine that slows down does not bend.
    """
    by_peer: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_peer.setdefault(outcome.peer.name, []).append(outcome)
    ours = [outcome.sample for outcome in by_peer.get("ours", [])]
    rows: list[Row] = []
    for name, mine in by_peer.items():
        peer = mine[0].peer
        samples = [outcome.sample for outcome in mine if outcome.sample is not None]
        verdict = next((outcome.verdict for outcome in mine if outcome.verdict != "exact"), "exact")
        row: dict[str, object] = {"name": name, "version": peer.release(), "work": peer.work, "less": peer.less}
        row |= {"windows": verdict, "rounds": len(samples)}
        for field in _FIELDS if samples else ():
            row[field] = round(statistics.median(getattr(sample, field) for sample in samples), 2)
        pairs = [(a, b.sample) for a, b in zip(ours, mine, strict=False) if a is not None and b.sample is not None]
        if name != "ours" and pairs:
            row["ours_times_by_rate"] = round(statistics.median(a.events_per_s / b.events_per_s for a, b in pairs), 2)
            by_cpu = statistics.median(b.cpu_us_per_event / a.cpu_us_per_event for a, b in pairs)
            row["ours_times_by_cpu"] = round(by_cpu, 2)
        rows.append(row)
    return rows


HEADINGS = (
    "",
    "events/s",
    "CPU µs/event",
    "core busy",
    "peak RSS MB",
    "events",
    "windows",
    "ours is, by rate",
    "by CPU",
)


def cells(row: Row) -> list[str]:
    """A row as text, in the order of HEADINGS."""
    name = str(row["name"])
    if "events_per_s" not in row:
        return [name, "-", "-", "-", "-", "-", str(row["windows"]), "-", "-"]

    def number(field: str, form: str) -> str:
        return format(float(str(row[field])), form)

    ratios = [f"{number(at, '.1f')}x" if at in row else "" for at in ("ours_times_by_rate", "ours_times_by_cpu")]
    return [
        name,
        number("events_per_s", ",.0f"),
        number("cpu_us_per_event", ".1f"),
        number("busy", ".0%"),
        number("rss_mb", ",.0f"),
        number("events", ",.0f"),
        str(row["windows"]),
        *ratios,
    ]


def table(rows: Sequence[Row]) -> Table:
    """The figures, and below each peer what it does."""
    made = Table(*HEADINGS, title="Stream processors, one core each; the broker on the other")
    for row in rows:
        made.add_row(*cells(row))
    made.caption = "\n".join(f"{row['name']} {row['version']}: {work(row)}" for row in rows)
    made.caption_justify = "left"
    return made


def work(row: Row) -> str:
    """What a peer does, and what less than ours."""
    return f"{row['work']}{'. Less: ' if row['less'] else ''}{row['less']}"


def machine() -> str:
    """Processor, cores, memory, kernel and interpreter, for the page."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    cores = len(os.sched_getaffinity(0))
    name = model.group(1) if model else platform.machine()
    return f"{name}, {cores} cores, {gigabytes:.0f} GB, {platform.system()}, CPython {platform.python_version()}"
