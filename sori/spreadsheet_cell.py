"""Texts for a spreadsheet: what comes from outside and begins as a formula would be computed. Pure."""

from __future__ import annotations

import re

#: What a spreadsheet takes for a formula, for Python, ClickHouse and JavaScript (api/live/static/table.js) alike. An id
#: that merely begins with a dash is one to nobody, and stays what it is.
FORMULA = r"(?s)^([=@\t\r]|[+-].*[^0-9A-Za-z_.:-])"
_formula = re.compile(FORMULA)


def cell(value: object) -> object:
    """A text with an apostrophe in front where it would be computed; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and _formula.match(value) else value
