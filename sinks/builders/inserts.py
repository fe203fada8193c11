"""What one insert carries: columns, or their bytes, for rows that we hold apart; else NDJSON that ClickHouse parses."""

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


@dataclass(frozen=True, slots=True)
class EncodedInsert:
    """One block in ClickHouse's Native format, as the pieces that it consists of one after the other."""

    table: str
    names: Sequence[str]
    pieces: Sequence[bytes | bytearray]


Insert = ColumnarInsert | EncodedInsert | NdjsonInsert
