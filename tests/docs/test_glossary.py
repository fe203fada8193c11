"""One glossary: the page, the terminal, and what the documents link to."""

from __future__ import annotations

import re
import runpy

import pytest
from typer.testing import CliRunner

from cli.main import build
from sori.glossary import LABELS, WORDS
from testkit.paths import ROOT

PAGE = runpy.run_path(str(ROOT / "docs/glossary_page.py"))


def test_the_page_is_current():
    """Else run: python docs/glossary_page.py."""
    assert (ROOT / "docs/glossary.md").read_text() == PAGE["page"]()


@pytest.mark.parametrize("word", ["spot", "flood", "material", "hop", "pane", "episode", "incident"])
def test_the_words_that_strangers_stumble_over_are_there(word):
    """Each in one sentence."""
    assert WORDS[word].endswith(".")


def test_the_terminal_knows_them():
    """One by name, all without, and a word that there is not is said so."""
    runner = CliRunner()
    assert "10 seconds" in runner.invoke(build(), ["words", "pane"]).output
    assert all(word in runner.invoke(build(), ["words"]).output for word in WORDS)
    assert runner.invoke(build(), ["words", "xyzzy"]).exit_code != 0


def test_documents_for_people_lead_there():
    """From the first page, and from those about alerts and fraud."""
    for page in ("README.md", "docs/alerts.md", "docs/fraud.md"):
        assert "glossary.md" in (ROOT / page).read_text()


def test_the_console_shows_the_same_words():
    """Every label with a tooltip is in the list that the page gets."""
    static = ROOT / "api/live/static"
    used = {
        found
        for script in static.glob("*.js")
        for found in re.findall(r'term(?:\(|: )"([^"]+)"', script.read_text(encoding="utf-8"))
    }
    assert used
    assert used <= LABELS.keys()
    assert set(LABELS.values()) <= WORDS.keys()
