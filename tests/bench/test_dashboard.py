"""The picture of the dashboards: what decides where a panel is and what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from bench.dashboard.frames import Spell, spells, wide
from bench.dashboard.page import WIDTH, Answer, page
from bench.dashboard.panels import COLUMNS, layout, panels
from bench.dashboard.units import shown
from testkit.paths import ROOT

FOLDER = ROOT / "deploy/grafana/provisioning/dashboards/json"
BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)


def minute(number: int) -> datetime:
    """So many minutes past noon."""
    return NOON + timedelta(minutes=number)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_panel_has_a_place_of_its_own(board: dict[str, Any]) -> None:
    """Within the page, overlapping no other; a row that is full ends where the page does."""
    places = layout(board, WIDTH)
    assert set(places) == {panel["title"] for panel in board["panels"]}
    assert not [pair for pair in combinations(places, 2) if places[pair[0]].overlaps(places[pair[1]])]
    for panel in board["panels"]:
        place, grid = places[panel["title"]], panel["gridPos"]
        assert 0 <= place.left < place.left + place.width <= WIDTH
        assert (place.left + place.width == WIDTH) == (grid["x"] + grid["w"] == COLUMNS)


def test_a_picture_of_the_first_rows_shows_whole_panels_only() -> None:
    """A panel that would be cut is left out, and what is shown lies within the rows."""
    some = layout(BOARDS["campaigns"], WIDTH, rows=28)
    assert 4 < len(some) < len(BOARDS["campaigns"]["panels"])
    assert some == {title: place for title, place in layout(BOARDS["campaigns"], WIDTH).items() if title in some}


def test_text_tells_series_apart_and_a_missing_value_is_a_gap() -> None:
    """From one row per time and label to one column per label."""
    frame = wide(
        ("time", "platform", "ctr"), [(minute(0), "iOS", 0.1), (minute(1), "Web", 0.2), (minute(1), "iOS", 0.3)]
    )
    assert frame.times == [minute(0), minute(1)]
    assert frame.series == {"iOS": [0.1, 0.3], "Web": [None, 0.2]}
    assert wide(("time", "ctr", "low"), [(minute(0), 0.1, 0.0)]).series == {"ctr": [0.1], "low": [0.0]}


def test_a_state_lasts_until_its_series_says_otherwise() -> None:
    """Other series' rows do not end it; the end of the time range does."""
    rows = [(minute(0), "a", "high"), (minute(1), "b", "low"), (minute(2), "a", None), (minute(3), "b", "medium")]
    assert spells(rows, minute(9)) == [
        Spell("a", "high", minute(0), minute(2)),
        Spell("b", "low", minute(1), minute(3)),
        Spell("b", "medium", minute(3), minute(9)),
    ]


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (81_912, "short", None, "81.9 K"),
        (0, "short", None, "0"),
        (0.0386, "percentunit", None, "3.86%"),
        (1.0, "percentunit", 2, "100.00%"),
        (199, "s", None, "3.32 mins"),
    ],
)
def test_numbers_are_in_their_panel_s_unit(value: float, unit: str, decimals: int | None, text: str) -> None:
    """As Grafana writes them."""
    assert shown(value, unit, decimals) == text


def test_what_a_query_found_cannot_become_markup() -> None:
    """A campaign's name is its owner's; an empty panel says so."""
    board = BOARDS["campaigns"]
    answers = [
        Answer(panel, ("campaign",), [("<script>",)] if panel.kind == "table" else []) for panel in panels(board)
    ]
    made = page(board, layout(board, WIDTH), answers, (minute(0), minute(60)), "caption")
    assert "&lt;script&gt;" in made
    assert made.count("<script>") == 1
    assert made.count("nothing in this time") == 8
