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
    block = bytearray(block_head(len(columns), rows))
    for name, type_name, column in zip(names, types, columns, strict=True):
        block += column_head(name, type_name)
        _append_column(block, type_name, column)
    return block


def block_head(columns: int, rows: int) -> bytes:
    """What a block begins with."""
    return _varint(columns) + _varint(rows)


def column_head(name: str, type_name: str) -> bytes:
    """What comes before the values of a column."""
    return b"".join(_varint(len(text)) + text for text in (name.encode(), type_name.encode()))


def encode_column(type_name: str, column: Sequence[Any]) -> bytearray:
    """A column's values alone, for a block that is put together from pieces. Raises as `encode_block`."""
    values = bytearray()
    _append_column(values, type_name, column)
    return values


def read_column(type_name: str, encoded: bytes | bytearray, rows: int) -> Sequence[Any]:
    """What `encode_column` wrote."""
    if type_name != "String":
        numbers = array(_TYPECODES[type_name], bytes(encoded))
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers
    values, at = [], 0
    for _ in range(rows):
        length = shift = 0
        more = True
        while more:
            byte = encoded[at]
            length |= (byte & 0x7F) << shift
            more, shift, at = byte > 0x7F, shift + 7, at + 1
        values.append(bytes(encoded[at : at + length]))
        at += length
    return values


def _append_column(block: bytearray, type_name: str, column: Sequence[Any]) -> None:
    if type_name == "String":
        _append_strings(block, column)
    else:
        block += _numbers(_TYPECODES[type_name], column)


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
