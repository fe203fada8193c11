"""What to say of a word that is none of the known ones. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 40


def none_of(what: str, given: str, known: Iterable[str]) -> str:
    """`what: 'given' is none of a, b, c; did you mean b?`; without the question where nothing is near."""
    words = list(known)
    near = difflib.get_close_matches(given[:_SHOWN].lower(), words, n=1)
    question = f"; did you mean {near[0]}?" if near else ""
    return f"{what}: {given[:_SHOWN]!r} is none of {', '.join(words) or 'any: there are none'}{question}"
