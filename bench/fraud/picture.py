"""The report as a picture: recall and precision per rule, time to detect per attack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.fraud.scoring import Score
from bench.fraud.summary import Summary

_BLUE, _ORANGE, _GREY = "#2b6cb0", "#dd6b20", "#4a5568"


def draw(summary: Summary, scores: Sequence[Score], path: Path) -> None:
    """Write an SVG or PNG, by the file's ending."""
    import matplotlib as mpl  # noqa: PLC0415 - only who wants the picture needs it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "sori", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    _rates(left, summary)
    _delays(right, summary, scores)
    figure.suptitle(
        f"Fraud rules on {summary.runs} labelled runs, {summary.events / 1e6:.1f} M events: "
        f"recall {summary.overall.recall:.3f}, precision {summary.overall.precision:.3f}, "
        f"{summary.crowd_alerts} alerts on aired spots",
        fontsize=10,
    )
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _rates(axes: Any, summary: Summary) -> None:
    lines = [line for line in reversed(summary.rules) if line.recall is not None or line.precision is not None]
    for at, line in enumerate(lines):
        axes.barh(at + 0.2, line.recall or 0, 0.38, color=_BLUE, label="recall" if at == 0 else None)
        axes.barh(at - 0.2, line.precision or 0, 0.38, color=_ORANGE, label="precision" if at == 0 else None)
    axes.axvline(0.95, color=_GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.set_xlim(0, 1)
    axes.set_title("recall (of attacks planted for the rule) and precision; dashed: 0.95", fontsize=9)
    axes.legend(loc="lower left", frameon=False)


def _delays(axes: Any, summary: Summary, scores: Sequence[Score]) -> None:
    kinds = [line.name for line in reversed(summary.attacks)]
    delays = [
        [a.delay_s for score in scores for a in score.attacks if a.kind == kind and a.delay_s is not None]
        for kind in kinds
    ]
    axes.boxplot(delays, orientation="horizontal", whis=(5, 95), showfliers=False, medianprops={"color": _ORANGE})
    axes.axvline(5, color=_GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(1, len(kinds) + 1), kinds)
    axes.set_xlabel("seconds after the evidence suffices; whiskers 5 % to 95 %; dashed: 5 s")
    axes.set_title("time to detect", fontsize=9)
