"""Writes docs/glossary.md from sori/glossary.py: `python docs/glossary_page.py`."""
# ruff: noqa: INP001 - a script beside the page it writes, not a package

from __future__ import annotations

from pathlib import Path

from sori.glossary import WORDS

PAGE = Path(__file__).with_name("glossary.md")
HEAD = """# Words

What they mean here, in the order in which you meet them. In the terminal: `sori words`, or
`sori words pane` for one of them. Words of the code itself are in
[architecture.md](architecture.md#words). Written by `python docs/glossary_page.py`.

| word | meaning |
|---|---|
"""


def page() -> str:
    """The page's text."""
    return HEAD + "".join(f"| {word} | {meaning} |\n" for word, meaning in WORDS.items())


if __name__ == "__main__":
    PAGE.write_text(page())
