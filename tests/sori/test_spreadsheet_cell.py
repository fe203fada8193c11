"""What a spreadsheet would compute stays text."""

from __future__ import annotations

import pytest

from sori.spreadsheet_cell import FORMULA, cell
from testkit.paths import ROOT


@pytest.mark.parametrize(
    "text",
    [
        "=HYPERLINK(1)",
        "=1",
        "@SUM(A1)",
        "-2+3",
        "+1 x",
        "-cmd|' /c calc'!A0",
        "\t=1",
        "\r=1",
        "-\n=1",
        "+A1*2",
        "+A1",
        "-A1-B2",
    ],
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    """In front, so that nothing in it is lost."""
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", "", "dev", 7, -1.5, None, "'x", "1+1"])
def test_anything_else_stays(value: object) -> None:
    """Numbers are not text, and what comes later begins nothing."""
    assert cell(value) == value


def test_the_page_takes_the_same_for_a_formula() -> None:
    """It writes its own CSV."""
    page = (ROOT / "api/live/static/table.js").read_text()
    assert f"const FORMULA = /{FORMULA}/;" in page
