"""The TTL clause of a table as `system.tables.engine_full` shows it: whose it is, and how long it keeps rows. Pure."""

from __future__ import annotations

import re

#: Shortest lengths, in days, so that nobody takes rows for complete that may be gone.
_UNIT_DAYS = {"Day": 1.0, "Week": 7.0, "Month": 28.0, "Quarter": 90.0, "Year": 365.0, "Hour": 1 / 24}
#: What moves or rewrites rows and does not delete them.
_KEEPS = re.compile(r" (TO (DISK|VOLUME)|RECOMPRESS|GROUP BY) ")


def ttl_of(engine_full: str) -> str:
    """The clause without its keyword; empty when there is none."""
    match = re.search(r" TTL (.*?)(?: SETTINGS .*)?$", engine_full, re.DOTALL)
    return match[1] if match else ""


def our_days(ttl: str, column: str) -> int | None:
    """Days, if the clause is one that retention writes for rows that age by `column`; 0 when empty; None: not ours."""
    if not ttl:
        return 0
    match = re.fullmatch(re.escape(column) + r" \+ toIntervalDay\((\d+)\)", ttl)
    return int(match[1]) if match else None


def kept_days(ttl: str) -> float:
    """After how many days the first rows are deleted; 0: never, as far as the clause says."""
    found = [
        int(number) * _UNIT_DAYS[unit]
        for element in _elements(ttl)
        if not _KEEPS.search(element + " ")
        for unit, number in re.findall(r"toInterval(Day|Week|Month|Quarter|Year|Hour)\((\d+)\)", element)
    ]
    return min(found, default=0.0)


def _elements(ttl: str) -> list[str]:
    """Cut at commas outside of brackets."""
    elements, depth, begun = [], 0, 0
    for place, character in enumerate(ttl):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            elements.append(ttl[begun:place])
            begun = place + 1
    return [*elements, ttl[begun:]]
