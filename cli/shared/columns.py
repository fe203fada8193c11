"""Tables that fit the terminal: the least important columns give way, then long names fold; nothing is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sori.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WideOption = Annotated[
    bool, typer.Option("--wide", "-w", help="Every column, however narrow the terminal is. Pipes get them anyway.")
]
#: What a column costs beside its text: padding and a border; and the border of the table.
_BESIDE, _EDGE = 3, 1
_LEAST_FOLDED = 12


@dataclass(frozen=True, slots=True)
class Column:
    """`rank` 0 never gives way; of the others the highest goes first."""

    name: str
    cells: Sequence[str | Text]
    rank: int = 0
    justify: Literal["left", "right"] = "left"
    folds: bool = False

    @property
    def width(self) -> int:
        """Characters of the widest cell."""
        from rich.cells import cell_len

        cells = (self.name, *self.cells)
        return max(cell_len(visible(cell)) if isinstance(cell, str) else cell.cell_len for cell in cells)


def show_columns(console: Console, columns: Sequence[Column], title: str | None = None, *, wide: bool = False) -> None:
    """Print the table. On a terminal it fits the width and says which columns are missing, unless `wide`."""
    from rich.table import Table

    everything = wide or not console.is_terminal
    shown = list(columns) if everything else fitting(columns, console.width)
    table = Table(title=title, title_justify="left")
    for column in shown:
        table.add_column(column.name, justify=column.justify, overflow="fold", no_wrap=everything or not column.folds)
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*row)
    before = console.width
    if everything:
        console.width = max(before, sum(column.width + _BESIDE for column in shown) + _EDGE)
    console.print(table)
    console.width = before
    missing = [column.name for column in columns if column not in shown]
    if missing:
        console.print(f"not shown for lack of width: {', '.join(missing)} (--wide)", style="dim")


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit, in their order; those that fold count with what they need at least."""
    shown = list(columns)
    while _needed(shown) > width and any(column.rank for column in shown):
        shown.remove(max(shown, key=lambda column: column.rank))
    return shown


def _needed(columns: Sequence[Column]) -> int:
    least = [min(column.width, _LEAST_FOLDED) if column.folds else column.width for column in columns]
    return sum(width + _BESIDE for width in least) + _EDGE
