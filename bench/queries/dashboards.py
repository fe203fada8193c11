"""What the provisioned Grafana dashboards ask ClickHouse when they are opened, panel by panel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.dashboard.panels import panels
from deploy.grafana.macros import expanded

_BOARDS = Path(__file__).parents[2] / "deploy/grafana/provisioning/dashboards/json"
#: Beside its own range, each dashboard is also asked for a week and for a month.
_WIDE_H = (7 * 24, 30 * 24)
#: Points that a panel as wide as a screen asks for: Grafana makes the interval from that.
_POINTS = 1000


class Asked(NamedTuple):
    """One panel's query over so many hours."""

    board: str
    panel: str
    hours: int
    sql: str


def dashboard_queries(end_s: int) -> Iterator[Asked]:
    """Every panel that asks ClickHouse, over its dashboard's own range, a week and a month, up to `end_s`."""
    for path in sorted(_BOARDS.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        own_h = int(board["time"]["from"].removeprefix("now-").removesuffix("h"))
        for hours in (own_h, *_WIDE_H):
            interval_s = max(60, hours * 3600 // _POINTS)
            for panel in panels(board):
                sql = expanded(panel.sql, end_s - hours * 3600, end_s, interval_s=interval_s)
                yield Asked(path.stem, panel.title, hours, sql)
