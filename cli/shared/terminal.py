"""Rich, for text that others wrote: no markup, no emoji names, nothing that acts on the terminal or hides."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import TextColumn
from rich.text import Text

from sori.visible import visible


class Terminal(Console):
    """A console on which every string is literal, also in tables and titles. Colour comes from `styled` alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """What Rich makes of every string that it is given."""
        return super().render_str(visible(text), **{**options, "markup": False, "emoji": False})


def styled(style: str, text: object) -> Text:
    """Text in a colour."""
    return Text(visible(text), style)


def joined(*parts: str | Text) -> Text:
    """Parts, coloured or not, in one line."""
    return Text("").join(part if isinstance(part, Text) else Text(visible(part)) for part in parts)


def progress_text(template: str = "{task.description}") -> TextColumn:
    """A column of a progress bar; what is filled in must be `visible` already."""
    return TextColumn(template, markup=False)
