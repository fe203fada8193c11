"""The TTL clause of a table as `system.tables.engine_full` shows it: whose it is, and how long it keeps rows. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Shortest lengths, in days, so that nobody takes rows for complete that may be gone.
_UNIT_DAYS = {"Day": 1.0, "Week": 7.0, "Month": 28.0, "Quarter": 90.0, "Year": 365.0, "Hour": 1 / 24}
#: What moves or rewrites rows and does not delete them.
_KEEPS = re.compile(r" (TO (DISK|VOLUME)|RECOMPRESS|GROUP BY) ")


#: Ever, as a DateTime: adding enough days to a time near 2106 would begin at 1970 again.
_EVER = "toDateTime(4294944000, 'UTC')"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long rows are kept, days, 0 = ever: all of them, or by the length of what they sum up, seconds.

    After `cold_days` they move to `volume`; 0 or no volume: they stay.
    """

    days: int = 0
    levels: tuple[tuple[int, int], ...] = ()
    cold_days: int = 0
    volume: str = ""


def clause(column: str, keeping: Keeping) -> str:
    """The TTL of a table whose rows age by `column`, as ClickHouse writes it down; empty: rows stay where they are."""
    elements = []
    if keeping.cold_days and keeping.volume:
        elements.append(f"{_after(column, keeping.cold_days)} TO VOLUME '{keeping.volume}'")
    lengths = {days for _, days in keeping.levels} or {keeping.days}
    if len(lengths) > 1:
        *first, (_, last) = keeping.levels
        cases = "".join(f"seconds = {seconds}, {_after(column, days)}, " for seconds, days in first)
        elements.append(f"multiIf({cases}{_after(column, last)})")
    elif days := max(lengths):
        elements.append(_after(column, days))
    return ", ".join(elements)


def _after(column: str, days: int) -> str:
    return f"{column} + toIntervalDay({days})" if days else _EVER


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
