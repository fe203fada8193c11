"""What one insert carries: columns for rows that we hold apart, NDJSON for rows that ClickHouse parses itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ColumnarInsert:
    """Columns of equal length, in the order of `names`; `types` are ClickHouse type names."""

    table: str
    names: Sequence[str]
    types: Sequence[str]
    columns: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class NdjsonInsert:
    """JSON objects, one per line, never parsed here."""

    table: str
    body: bytes


Insert = ColumnarInsert | NdjsonInsert
