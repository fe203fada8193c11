"""What bench.queries asks beside the ten questions."""

from __future__ import annotations

import json

from bench.queries.console import PAGES, console_queries
from bench.queries.dashboards import dashboard_queries
from testkit.paths import ROOT

BOARDS = ROOT / "deploy/grafana/provisioning/dashboards/json"


def test_every_panel_that_asks_clickhouse_is_asked_over_its_own_range_a_week_and_a_month():
    """A new panel cannot be left out, and no macro is left in."""
    asked = list(dashboard_queries(1_760_000_000))
    made = [(path.stem, panel) for path in BOARDS.glob("*.json") for panel in json.loads(path.read_text())["panels"]]
    wanted = {(board, panel["title"]) for board, panel in made if "rawSql" in (panel.get("targets") or [{}])[0]}
    assert len(wanted) > 30
    for hours in ({1, 6, 24}, {168}, {720}):
        assert {(one.board, one.panel) for one in asked if one.hours in hours} == wanted
    assert not [one for one in asked if "$" in one.sql]
    assert any("toDateTime(1760000000)" in one.sql for one in asked)


def test_every_figure_of_the_console_is_asked_for_each_kind_of_page():
    """Over 30 days; a place by the view that is in the order of places."""
    asked = dict(console_queries(1_760_000_000))
    parts = {name.partition(": ")[2] for name in asked}
    assert {"totals", "series", "compared", "places"} <= parts
    assert len(asked) == len(PAGES) * len(parts)
    assert "ctr_sums_of_places(" in asked["a city: series"]
