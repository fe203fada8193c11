"""Lines and JSON on standard output. Commands print through this and through `terminal`, and in no other way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import typer

from sori.visible import visible, visible_json


def say(text: object, *, lines: bool = False, err: bool = False, colour: str | None = None) -> None:
    """Print one line, or several with `lines`; data in it can neither act nor hide."""
    typer.secho(visible(text, lines=lines), fg=colour, err=err, reset=colour is not None)


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON, on one line unless indented; it reads back as the very same value."""
    typer.echo(visible_json(json.dumps(value, indent=indent, ensure_ascii=False)))


def say_json_lines(rows: Iterable[Any]) -> None:
    """Print each as JSON on a line of its own."""
    for row in rows:
        say_json(row)
