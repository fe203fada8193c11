"""A dashboard's JSON as panels with a place on the page, in pixels. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = 24
#: Grafana's grid: rows of 30 px and gaps of 8 px.
ROW_PX, GAP_PX = 30, 8


@dataclass(frozen=True)
class Place:
    """Where a panel is, in pixels from the top left of the panels' area."""

    left: int
    top: int
    width: int
    height: int

    @property
    def bottom(self) -> int:
        """The first pixel below it."""
        return self.top + self.height

    def overlaps(self, other: Place) -> bool:
        """Whether the two share a pixel."""
        across = self.left < other.left + other.width and other.left < self.left + self.width
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Panel:
    """One panel. `bars` are stacked; `fields` overrides unit and decimals: (pattern of the column's name, options)."""

    kind: str
    title: str
    unit: str
    empty: str
    sql: str
    bars: bool
    fields: Sequence[tuple[re.Pattern[str], Mapping[str, Any]]]

    def field(self, column: str) -> tuple[str, int | None]:
        """Unit and decimals of a column; None leaves the decimals to the unit."""
        unit, decimals = self.unit, None
        for pattern, options in self.fields:
            if pattern.search(column):
                unit, decimals = options.get("unit", unit), options.get("decimals", decimals)
        return unit, decimals


def panels(board: Mapping[str, Any]) -> list[Panel]:
    """Every panel that asks ClickHouse, in the board's order."""
    return [_panel(made) for made in board["panels"] if "rawSql" in (made.get("targets") or [{}])[0]]


def layout(board: Mapping[str, Any], width: int, *, rows: int | None = None) -> dict[str, Place]:
    """Title to place, for panels within the first `rows` of the grid, by default all; `width` is the page's, pixels."""
    places = {}
    for made in board["panels"]:
        grid = made["gridPos"]
        if rows is None or grid["y"] + grid["h"] <= rows:
            left, right = _edge(grid["x"], width), _edge(grid["x"] + grid["w"], width)
            top, height = grid["y"] * (ROW_PX + GAP_PX), grid["h"] * (ROW_PX + GAP_PX) - GAP_PX
            places[made["title"]] = Place(left, top, right - left - GAP_PX, height)
    return places


def _edge(column: int, width: int) -> int:
    """The left edge of a column: they share the width and one gap beyond it, so that the last ends at the page's."""
    return round(column * (width + GAP_PX) / COLUMNS)


def _panel(made: Mapping[str, Any]) -> Panel:
    target, config = made["targets"][0], made["fieldConfig"]
    defaults = config["defaults"]
    fields = [
        (re.compile(text.strip("/")), {each["id"]: each["value"] for each in override["properties"]})
        for override in config["overrides"]
        for text in [override["matcher"]["options"]]
        if override["matcher"]["id"] == "byRegexp"
    ]
    bars = defaults.get("custom", {}).get("drawStyle") == "bars"
    return Panel(made["type"], made["title"], defaults["unit"], defaults["noValue"], target["rawSql"], bars, fields)
