"""What a panel of the Grafana dashboards asks ClickHouse."""

from __future__ import annotations

import json

from deploy.grafana.macros import expanded
from testkit.paths import ROOT

_BOARDS = ROOT / "deploy/grafana/provisioning/dashboards/json"


def panel_sql(board: str, title: str, start_s: int, end_s: int, interval_s: int = 60, **chosen: str) -> str:
    """As Grafana sends it for that time, epoch seconds; every variable at `All` that is not `chosen`, quoted."""
    panels = json.loads((_BOARDS / f"{board}.json").read_text(encoding="utf-8"))["panels"]
    [panel] = [one for one in panels if one["title"] == title]
    sql = panel["targets"][0]["rawSql"]
    for name, choice in chosen.items():
        sql = sql.replace(f"${{{name}:sqlstring}}", choice)
    return expanded(sql, start_s, end_s, interval_s=interval_s)
