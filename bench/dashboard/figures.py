"""Plotly figures of a time series and of a state timeline, in Grafana's colours. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import cycle
from typing import Any

from bench.dashboard.frames import Spell, Wide

#: Grafana's classic palette, in its order.
PALETTE = ("#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#705DA0", "#37872D", "#3EC2C2")
SEVERITIES = {"critical": "#C4162A", "high": "#F2495C", "medium": "#FF9830", "low": "#FADE2A"}
_GRID, _TEXT, _FONT = "rgba(204,204,220,0.09)", "#ccccdc", "'DejaVu Sans Condensed', sans-serif"
Figure = dict[str, Any]


def lines(frame: Wide, unit: str, span: tuple[datetime, datetime]) -> Figure:
    """One line per series, gaps where it has no value; a value without neighbours is a dot."""
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if _lonely(values) else "lines",
            "line": {"color": color, "width": 1.5},
            "marker": {"size": 6},
            "fill": "none" if _lonely(values) else "tozeroy",
            "fillcolor": _faint(color),
            **_points(frame, name),
        }
        for (name, values), color in zip(frame.series.items(), cycle(PALETTE), strict=False)
    ]
    return {"data": data, "layout": _layout(span, _rising(unit), left=48)}


def bars(frame: Wide, unit: str, span: tuple[datetime, datetime]) -> Figure:
    """One bar per series and minute, stacked."""
    data = [
        {"type": "bar", "width": 50_000, "marker": {"color": color, "line": {"width": 0}}, **_points(frame, name)}
        for name, color in zip(frame.series, cycle(PALETTE), strict=False)
    ]
    return {"data": data, "layout": {**_layout(span, _rising(unit), left=48), "barmode": "stack"}}


def timeline(found: Sequence[Spell], span: tuple[datetime, datetime]) -> Figure:
    """One row per series, one bar per spell of a state, the first series at the top."""
    data = []
    for state, color in SEVERITIES.items():
        bars = [spell for spell in found if spell.state == state]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": state,
                "base": [max(spell.since, span[0]).isoformat() for spell in bars],
                "x": [(spell.until - max(spell.since, span[0])).total_seconds() * 1000 for spell in bars],
                "y": [spell.name for spell in bars],
                "marker": {"color": color, "line": {"width": 0}},
                "width": 0.7,
            }
        )
    names = list(dict.fromkeys(spell.name for spell in found))
    rows = {
        "categoryorder": "array",
        "categoryarray": names[::-1],
        "automargin": True,
        "ticklabelstandoff": 6,
        "dtick": 1,
    }
    layout = _layout(span, {**rows, "gridcolor": "rgba(0,0,0,0)"}, left=48)
    return {"data": [each for each in data if each["x"]], "layout": {**layout, "barmode": "overlay"}}


def legend(figure: Figure) -> list[tuple[str, str]]:
    """(name, colour) of every series; Plotly's own legend would lie upon the axis when it has several rows."""
    return [(each["name"], (each.get("line") or each["marker"])["color"]) for each in figure["data"]]


def _points(frame: Wide, name: str) -> Figure:
    values = [None if value is None else float(value) for value in frame.series[name]]
    return {"name": name, "x": [time.isoformat() for time in frame.times], "y": values}


def _rising(unit: str) -> Figure:
    return {"tickformat": ".3~%" if unit == "percentunit" else "~s", "rangemode": "tozero", "nticks": 6}


def _layout(span: tuple[datetime, datetime], y_axis: Figure, *, left: int) -> Figure:
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID, "fixedrange": True}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "color": _TEXT, "size": 12},
        "margin": {"l": left, "r": 12, "t": 6, "b": 24},
        "xaxis": {**axis, "type": "date", "range": [moment.isoformat() for moment in span], "tickformat": "%H:%M"},
        "yaxis": {**axis, **y_axis},
        "showlegend": False,
    }


def _lonely(values: Sequence[Any]) -> bool:
    """Whether some value has none before it and none after it."""
    known = [False, *(value is not None for value in values), False]
    return any(known[at] and not known[at - 1] and not known[at + 1] for at in range(1, len(known) - 1))


def _faint(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.08)"
