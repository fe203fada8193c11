"""The report as a picture: recall by kind and level, and how long after the first event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.fraud.field.report import Report
from bench.fraud.field.scoring import WorldScore
from simulator.field.draws import LEVELS

_COLOURS = {"obvious": "#2b6cb0", "should": "#dd6b20", "stealthy": "#4a5568"}


def draw(summary: Report, worlds: Sequence[WorldScore], path: Path) -> None:
    """Write an SVG or PNG, by the file's ending."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "sori", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 6.5), layout="constrained")
    _recall(left, summary)
    _delays(right, worlds)
    alerts, incidents = summary.precisions[:2]
    figure.suptitle(
        f"Fraud rules in {summary.worlds} worlds, {summary.events / 1e6:.1f} M events: precision {alerts.precision} "
        f"by alert, {incidents.precision} by incident, {summary.on_airings} alerts on aired spots",
        fontsize=10,
    )
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _recall(axes: Any, summary: Report) -> None:
    kinds = sorted({line.kind for line in summary.recalls}, reverse=True)
    for line in summary.recalls:
        if line.level in LEVELS:
            offset = 0.26 * (1 - list(_COLOURS).index(line.level))
            axes.barh(kinds.index(line.kind) + offset, line.recall, 0.24, color=_COLOURS[line.level])
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_xlim(0, 1)
    axes.set_title("recall: " + ", ".join(LEVELS) + " (from above)", fontsize=9)


def _delays(axes: Any, worlds: Sequence[WorldScore]) -> None:
    delays = [
        sorted(
            max(0.1, one.from_first_s)
            for world in worlds
            for one in world.attacks
            if one.attack.level == level and one.from_first_s is not None
        )
        for level in LEVELS
    ]
    for level, times in zip(LEVELS, delays, strict=True):
        axes.plot(times, [(n + 1) / len(times) for n in range(len(times))], color=_COLOURS[level], label=level)
    axes.axvline(10, color=_COLOURS["stealthy"], linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("seconds from the attack's first event; dashed: 10 s")
    axes.set_title("share of the attacks found, by then", fontsize=9)
    axes.legend(loc="lower right", frameon=False)
