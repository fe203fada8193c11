"""A dashboard as an HTML page: Grafana's grid, the panels' answers in it. Pure but for reading the style sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from bench.dashboard.figures import Figure, bars, legend, lines, timeline
from bench.dashboard.frames import spells, wide
from bench.dashboard.panels import Panel, Place
from bench.dashboard.units import shown

WIDTH = 1176
_STYLE = Path(__file__).with_name("page.css")
#: Once everything has its place: each chart fills what its title and legend leave of the panel.
_DRAW = """
for (const place of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(place.dataset.figure);
  const size = {width: place.clientWidth, height: place.clientHeight};
  Plotly.newPlot(place, figure.data, {...figure.layout, ...size}, {staticPlot: true});
}
"""


@dataclass(frozen=True)
class Answer:
    """What a panel's query found: column names and rows."""

    panel: Panel
    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


def page(
    board: Mapping[str, Any],
    places: Mapping[str, Place],
    answers: Sequence[Answer],
    span: tuple[datetime, datetime],
    caption: str,
) -> str:
    """The whole document, without the chart library, which has to be there before it."""
    chips = "".join(
        f'<span class="chip"><b>{escape(each["label"])}</b>{escape(each["current"]["text"])}</span>'
        for each in board.get("templating", {}).get("list") or []
    )
    minutes = int((span[1] - span[0]).total_seconds() // 60)
    head = f"<h1>{escape(board['title'])}</h1>{chips}<span class='chip range'>Last {minutes} minutes, UTC</span>"
    made = "".join(_section(answer, places[answer.panel.title], span) for answer in answers)
    height = max(place.bottom for place in places.values())
    return (
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style><header>{head}</header>"
        f"<main style='height:{height}px'>{made}</main><footer>{escape(caption)}</footer><script>{_DRAW}</script>"
    )


def _section(answer: Answer, place: Place, span: tuple[datetime, datetime]) -> str:
    box = f"left:{place.left}px;top:{place.top}px;width:{place.width}px;height:{place.height}px"
    return f'<section style="{box}"><h2>{escape(answer.panel.title)}</h2>{_body(answer, place, span)}</section>'


def _body(answer: Answer, place: Place, span: tuple[datetime, datetime]) -> str:
    panel, rows = answer.panel, answer.rows
    if panel.kind == "stat":
        value = rows[0][0] if rows else None
        text = panel.empty if value is None else shown(float(value), *panel.field(answer.names[0]))
        return f'<div class="body number{" empty" if value is None else ""}">{escape(text)}</div>'
    if not rows:
        return f'<div class="body number empty">{escape(panel.empty)}</div>'
    if panel.kind == "table":
        return f'<div class="body">{_table(answer, place)}</div>'
    if panel.kind == "state-timeline":
        return _chart(timeline(spells([(row[0], row[1], row[2]) for row in rows], span[1]), span))
    draw = bars if panel.bars else lines
    return _chart(draw(wide(answer.names, rows), panel.unit, span))


def _chart(figure: Figure) -> str:
    names = "".join(f'<span><i style="background:{color}"></i>{escape(name)}</span>' for name, color in legend(figure))
    data = escape(json.dumps(figure))
    return f'<div class="body chart" data-figure="{data}"></div><div class="legend">{names}</div>'


def _table(answer: Answer, place: Place) -> str:
    """As many rows as are seen whole: Grafana scrolls for the others."""
    figures = [isinstance(value, int | float) for value in answer.rows[0]]
    kinds = [' class="figure"' if is_figure else "" for is_figure in figures]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, answer.names, strict=True))
    body = ""
    for row in answer.rows[: (place.height - 38) // 29 - 1]:
        cells = zip(answer.names, kinds, row, strict=True)
        body += "<tr>" + "".join(f"<td{kind}>{_cell(answer.panel, name, cell)}</td>" for name, kind, cell in cells)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(panel: Panel, name: str, value: Any) -> str:
    if isinstance(value, int | float):
        return escape(shown(value, *panel.field(name)))
    return escape("" if value is None else str(value))
