"""The blocks of the documents: what a reader copies from them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from testkit.paths import ROOT

#: Every page that people read; CHANGELOG.md tells the past.
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    if path.name != "CHANGELOG.md"
)
_FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """One fenced block. `page`: from the root of the repository; `before`: the page up to the block."""

    page: str
    language: str
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.page}:{self.before.count(chr(10)) + 1}"


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of a page in order, of one language or of all."""
    text, name = page.read_text(), str(page.relative_to(ROOT))
    found = [
        Block(name, match["language"], textwrap.dedent(match["text"]), text[: match.start()])
        for match in _FENCED.finditer(text)
    ]
    return [block for block in found if language in (None, block.language)]


def every_block(language: str | None = None) -> list[Block]:
    """Those of every page."""
    return [block for page in PAGES for block in blocks(page, language)]
