"""The growth curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_BLUE, _ORANGE = "#2b6cb0", "#dd6b20"


def draw(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Write an SVG or PNG, by the file's ending: CPU per event against each of the three."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "sori", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    names = [name for name, rows in curves.items() if rows]
    figure, axes = plt.subplots(1, len(names), figsize=(3.7 * len(names), 3.6), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        _curve(axis, name, curves[name])
    figure.suptitle("Hop 1 with every rule: cost per event as it grows", fontsize=10)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _curve(axis: Any, name: str, rows: Sequence[Mapping[str, float]]) -> None:
    points = [row[name] for row in rows]
    axis.plot(points, [row["cpu_us_per_event"] for row in rows], "o-", color=_BLUE)
    axis.set_xscale("log", base=10 if name == "devices" else 2)
    axis.set_xticks(points, [f"{int(point):,}" for point in points])
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
    axis.set_xlabel({"devices": "live devices"}.get(name, name))
    axis.set_ylabel("CPU µs per event", color=_BLUE)
    second = "rss_mb" if name == "devices" else "events_per_s"
    other = axis.twinx()
    other.plot(points, [row[second] for row in rows], "s--", color=_ORANGE)
    other.set_ylim(bottom=0)
    other.set_ylabel("memory, MB" if name == "devices" else "events/s, all workers", color=_ORANGE)
