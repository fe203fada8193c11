"""`sori words`: what a word means here."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.shared.query_options import JsonOption


def words(
    word: Annotated[
        str | None, typer.Argument(help="One of them, or a part; default: all.", show_default=False)
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what a word means: pane, episode, hop, spot, incident, … The page with all of them: docs/glossary.md.

    Example: `sori words pane`
    """
    from cli.shared.say import say, say_json
    from sori.errors import QueryError
    from sori.glossary import WORDS

    asked = (word or "").strip().lower()
    found = {name: meaning for name, meaning in WORDS.items() if asked in name.lower()}
    if not found:
        raise QueryError(f"there is no word like {asked[:40]!r}; `sori words` shows all of them")
    for name, meaning in found.items():
        if as_json:
            say_json({"word": name, "meaning": meaning})
        else:
            say(f"{name}: {meaning}")
