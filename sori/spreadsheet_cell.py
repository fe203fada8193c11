"""Texts for a spreadsheet: what comes from outside and begins as a formula would be computed. Pure."""

from __future__ import annotations

import re

#: What a spreadsheet takes for a formula (OWASP, "CSV Injection"), for Python, ClickHouse and JavaScript
#: (api/live/static/table.js) alike: `-A1` is one, too, so an id that begins with a dash is joined by JSON or Parquet.
FORMULA = r"^[=+\-@\t\r]"
_formula = re.compile(FORMULA)


def cell(value: object) -> object:
    """A text with an apostrophe in front where it would be computed; anything else as it is."""
    return f"'{value}" if isinstance(value, str) and _formula.match(value) else value
