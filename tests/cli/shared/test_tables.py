"""Tables are readable at 80 columns, complete in a pipe and with --wide, and honest about what they leave out."""

from __future__ import annotations

import io

import pytest

from cli.commands import alerts, ctr
from cli.shared.columns import Column, fitting
from cli.shared.terminal import Terminal

PLACE = {"country": "United States of America", "region": "California", "city": "San Francisco"}
RATE = {"impressions": 1_234_567, "clicks": 45_678, "ctr": 0.037, "ctr_low": 0.0366, "ctr_high": 0.0374}
ALERT = {
    "alert_id": "a",
    "opened_at": "2026-11-24 10:11:12.123",
    "updated_at": "2026-11-24 10:12:12.123",
    "closed_at": None,
    "state": "updated",
    "severity": "critical",
    "rule": "click_without_impression",
    "account_id": "acc_123456789",
    "subject_kind": "device",
    "subject": "device-0123456789abcdef0123456789abcdef [red]",
    "observed": 120.0,
    "expected": 1.4,
}
WIDTHS = (60, 80, 100, 200)


def printed(show, *arguments, width: int, terminal: bool = True, **options) -> list[str]:
    """Lines on a terminal of this width."""
    output = io.StringIO()
    show(Terminal(file=output, width=width, force_terminal=terminal, color_system=None), *arguments, **options)
    return output.getvalue().splitlines()


def headings(lines: list[str]) -> str:
    """The line of column names."""
    return next(line for line in lines if line.startswith("┃"))


@pytest.mark.parametrize("width", WIDTHS)
def test_alerts_fit_and_keep_what_matters(width: int) -> None:
    """Who, what and how bad are there at any width; no line is longer than the terminal."""
    lines = printed(alerts.show, [ALERT, {**ALERT, "subject": "d"}], width=width)
    assert max(map(len, lines)) <= width
    for name in ("opened", "state", "severity", "rule", "subject"):
        assert name in headings(lines)
    text = "".join(lines)
    assert "critical" in text
    assert "2026-11-24" in text
    assert "…" not in text
    assert ("--wide" in text) == (width < 200)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("by", [("place",), ("campaign",)])
def test_rates_fit_and_keep_their_interval(by: tuple[str, ...], width: int) -> None:
    """The rate and its interval never give way."""
    names = {"account_id": "acc_123456789", **(PLACE if by == ("place",) else {"campaign_id": "cmp_" + "9" * 30})}
    lines = printed(ctr.show, by, [{**names, **RATE}], width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "3.66% to 3.74%" in text
    assert ("city" if by == ("place",) else "campaign") in headings(lines)
    assert "…" not in text


@pytest.mark.parametrize("how", [{"terminal": False}, {"wide": True}])
def test_pipes_and_wide_get_every_column_on_one_line(how: dict[str, bool]) -> None:
    """So that grep and awk see whole rows, and text that looks like markup stays text."""
    lines = printed(alerts.show, [ALERT], width=80, **how)
    (row,) = [line for line in lines if "critical" in line]
    for part in ("acc_123456789", "click_without_impression", ALERT["subject"], "120", "1", "0:01:00"):
        assert part in row
    assert not any("--wide" in line for line in lines)


def test_the_least_important_column_goes_first() -> None:
    """Ranks decide, and a column without one stays even where it does not fit."""
    columns = [Column("a", ["x" * 20]), Column("b", ["y" * 20], rank=1), Column("c", ["z" * 20], rank=2)]
    assert [c.name for c in fitting(columns, 80)] == ["a", "b", "c"]
    assert [c.name for c in fitting(columns, 60)] == ["a", "b"]
    assert [c.name for c in fitting(columns, 10)] == ["a"]
