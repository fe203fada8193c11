"""Encodes columns as one block of ClickHouse's Native format, by the driver's own compiled writer where it is there.

Going round the driver's `insert` saves its cutting of the block into chunks and its per-value checks: half of the cost.
Format: number of columns, number of rows, then per column its name, its type and its values back to back; numbers are
little-endian, a string is its length as LEB128 and its bytes.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

try:
    # private: see runtime/private_parts.py
    from clickhouse_connect.driver.ctypes import data_conv
except ImportError:  # pragma: no cover - another version of the driver
    data_conv = None  # type: ignore[assignment]

#: ClickHouse type -> array typecode.
_TYPECODES = {
    "UInt8": "B",
    "Int32": "i",
    "UInt32": "I",
    "Int64": "q",
    "UInt64": "Q",
    "DateTime('UTC')": "I",
    "DateTime64(3, 'UTC')": "q",  # seconds, milliseconds
}


def encode_block(names: Sequence[str], types: Sequence[str], columns: Sequence[Sequence[Any]]) -> bytearray:
    """One block. Raises TypeError, ValueError or OverflowError for a value that its type does not take."""
    rows = len(columns[0])
    if any(len(column) != rows for column in columns):
        raise ValueError("columns of unequal length")
    block = bytearray(_varint(len(columns)) + _varint(rows))
    for name, type_name, column in zip(names, types, columns, strict=True):
        for text in (name.encode(), type_name.encode()):
            block += _varint(len(text)) + text
        if type_name == "String":
            _append_strings(block, column)
        else:
            block += _numbers(_TYPECODES[type_name], column)
    return block


def _append_strings(block: bytearray, column: Sequence[Any]) -> None:
    values = [value.encode() if isinstance(value, str) else value for value in column] if _has_text(column) else column
    if data_conv is None:
        append_strings_plainly(block, values)
    elif data_conv.write_str_col(values, False, None, block) != 0:  # noqa: FBT003 - not nullable
        raise TypeError("a String column takes bytes or str")


def append_strings_plainly(block: bytearray, values: Sequence[bytes]) -> None:
    """The same bytes without the driver's compiled writer, slower. Raises TypeError for what is no bytes."""
    for value in values:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError("a String column takes bytes or str")
        block += _varint(len(value))
        block += value


def _has_text(column: Sequence[Any]) -> bool:
    return bool(column) and isinstance(column[0], str)


def _numbers(typecode: str, column: Sequence[Any]) -> bytes:
    numbers = array(typecode, column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
