"""A soak's figures: as a table, as JSON, as a picture, and what is wrong with them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.soak.memory import Sample, Trend
from bench.soak.seen import Counted


@dataclass(slots=True)
class Report:
    """Everything seen so far; whatever was not reached is None or empty."""

    rate: int
    seconds: float = 0.0
    sent: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    recounted_for_repetitions: int = 0
    slowest_answer_s: float = 0.0
    asked_again: Mapping[str, int] = field(default_factory=dict)
    counted: Counted | None = None
    differing_windows: int | None = None
    freshness_s: Sequence[float] = ()
    unseen_probes: int = 0
    alerts_s: Sequence[float] = ()
    attacks: int = 0
    trends: Mapping[str, Trend] = field(default_factory=dict)
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    def faults(self) -> list[str]:
        """One sentence for each promise that was not kept."""
        found = [f"it ended early: {self.error}"] if self.error else []
        if self.counted is None:
            found.append("the stored events were never compared")
        elif self.counted.lost or self.counted.doubled:
            found.append(f"{self.counted.lost} accepted events lost, {self.counted.doubled} counted twice")
        if self.differing_windows:
            found.append(f"{self.differing_windows} windows differ from the raw events")
        if self.unseen_probes:
            found.append(f"{self.unseen_probes} probes never became visible")
        if len(self.alerts_s) < self.attacks:
            found.append(f"{self.attacks - len(self.alerts_s)} of {self.attacks} attacks not alerted")
        found += [f"{name} restarted {times} times" for name, times in self.restarts.items()]
        growing = [f"{n} +{t.rise_mb:.0f} MB at the end of the run" for n, t in self.trends.items() if not t.flat]
        if growing:
            found.append(f"memory grows: {', '.join(growing)}")
        return found

    def figures(self) -> list[dict[str, Any]]:
        """As `--json` writes them."""
        figures = {
            "name": "soak",
            "events_per_s": round(self.sent / self.seconds, 1) if self.seconds else 0.0,
            **{key: value for key, value in asdict(self).items() if key not in ("freshness_s", "alerts_s")},
            "freshness_p50_s": quantile(self.freshness_s, 50),
            "freshness_p99_s": quantile(self.freshness_s, 99),
            "alert_p50_s": quantile(self.alerts_s, 50),
            "alert_p99_s": quantile(self.alerts_s, 99),
            "faults": self.faults(),
        }
        return [figures]


def quantile(values: Sequence[float], percent: int) -> float | None:
    """A percentile, or None without values."""
    if len(values) < 2:
        return round(values[0], 3) if values else None
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 3)


def show(report: Report, console: Console) -> None:
    """Print the tables and the verdict."""
    table = Table(title=f"Soak: {report.seconds:.0f} s at {report.rate:,} events/s", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    counted = report.counted
    for name, value in (
        ("sent", f"{report.sent:,} ({report.sent / max(report.seconds, 0.1):,.0f}/s)"),
        ("refused", _times(report.refused)),
        ("repeated", _times(report.repeated)),
        ("repetitions recounted", f"{report.recounted_for_repetitions:,}"),
        ("slowest answer", f"{report.slowest_answer_s:.2f} s"),
        ("asked the api again", _times(report.asked_again)),
        ("accepted", f"{counted.accepted:,}" if counted else "-"),
        ("stored", f"{counted.stored:,}" if counted else "-"),
        ("lost", str(counted.lost) if counted else "not compared"),
        ("counted twice", str(counted.doubled) if counted else "not compared"),
        (
            "windows unlike the events",
            "not compared" if report.differing_windows is None else str(report.differing_windows),
        ),
        ("freshness p50, p99", _pair(report.freshness_s)),
        ("alert latency p50, p99", _pair(report.alerts_s)),
        ("attacks alerted", f"{len(report.alerts_s)} of {report.attacks}"),
    ):
        table.add_row(name, value)
    console.print(table)
    console.print(_memory(report))
    for fault in report.faults():
        console.print(f"[red]fault:[/] {fault}", soft_wrap=True)
    if not report.faults():
        console.print("[green]Nothing lost, every attack alerted, memory flat.[/]")


def _times(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} x {what}" for what, n in counts.items()) or "none"


def _pair(values: Sequence[float]) -> str:
    return f"{quantile(values, 50)} s, {quantile(values, 99)} s ({len(values)})" if values else "-"


def _memory(report: Report) -> Table:
    table = Table(title="Resident memory, MB; slope of the last part", title_justify="left")
    table.add_column("process")
    for name in ("first", "last", "most", "MB/h", "CPU", "verdict"):
        table.add_column(name, justify="right")
    for name, t in report.trends.items():
        cpu = f"{report.cpu_s.get(name, 0.0) / report.seconds:.0%}" if report.seconds else "-"
        verdict = "flat" if t.flat else "[red]grows[/]"
        table.add_row(name, *(f"{mb:,.0f}" for mb in (t.first_mb, t.last_mb, t.max_mb, t.slope_mb_h)), cpu, verdict)
    return table


def draw(samples: Mapping[str, Sequence[Sample]], report: Report, path: Path) -> None:
    """Write memory over time as SVG or PNG, by the file's ending."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "sori", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for name, found in samples.items():
        axes.plot([at / 60 for at, _ in found], [mb for _, mb in found], label=name)
    axes.set(xlabel="minutes", ylabel="resident memory, MB", ylim=(0, None))
    axes.set_title(f"{report.sent:,} events at {report.rate:,}/s", fontsize=10)
    axes.legend(frameon=False, ncols=3)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
