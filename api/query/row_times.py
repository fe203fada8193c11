"""Times of ClickHouse's rows as users see them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def iso(row: Mapping[str, Any], times: Iterable[str]) -> dict[str, Any]:
    """The row with these columns, where it has them, as ISO 8601 with Z."""
    given = {name: row[name] for name in times if row.get(name) is not None}
    return {**row, **{name: str(value).replace(" ", "T") + "Z" for name, value in given.items()}}
