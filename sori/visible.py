"""The one way from data to a screen: what would act on a terminal, or hide, is shown as an escape. Pure.

Senders choose device ids, event names and account ids; subscribers' owners choose names. In them may stand terminal
sequences (`\\x1b]0;`), right-to-left overrides and characters of no width, by which a line reads other than it is.
"""

from __future__ import annotations

import re
import unicodedata

#: Control, format (bidi among them), surrogate, private, unassigned; separators of lines and paragraphs.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class _Escapes(dict[int, str | int]):
    """A table for str.translate that fills itself."""

    def __missing__(self, code: int) -> str | int:
        shown: str | int = code
        if unicodedata.category(chr(code)) in _HIDDEN:
            shown = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        self[code] = shown
        return shown


_ESCAPES = _Escapes()
_ESCAPES_OF_LINES = _Escapes({ord("\n"): "\n", ord("\t"): "\t"})
_IN_JSON = re.compile(r"[^\n\x20-\x7e]")


def visible(text: object, *, lines: bool = False) -> str:
    """The text with every character that acts or hides as an escape; `lines` leaves line breaks and tabs."""
    return str(text).translate(_ESCAPES_OF_LINES if lines else _ESCAPES)


def visible_json(text: str) -> str:
    """JSON with such characters escaped as JSON does it: the same value, safe to show."""
    return _IN_JSON.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    char = match[0]
    if unicodedata.category(char) not in _HIDDEN:
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
