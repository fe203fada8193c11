"""What a failed insert means, decided in one place from ClickHouse's error code.

InsertFailure
├── Unavailable    the server cannot take it now: pause, back off, send the same block again
├── SchemaDrift    a table or column is missing: the same, and tell the operator
├── TooMuchMemory  the block needs more memory than there is: send it in halves
└── Rejected       these rows are the reason: bisect, and quarantine the culprits
"""

from __future__ import annotations

import struct

from clickhouse_connect.driver.exceptions import DataError

from runtime.clickhouse.client import plain_message

#: Something is not where our migrations put it.
_SCHEMA_CODES = {
    8: "THERE_IS_NO_COLUMN",
    10: "NOT_FOUND_COLUMN_IN_BLOCK",
    16: "NO_SUCH_COLUMN_IN_TABLE",
    20: "NUMBER_OF_COLUMNS_DOESNT_MATCH",
    46: "UNKNOWN_FUNCTION",
    47: "UNKNOWN_IDENTIFIER",
    50: "UNKNOWN_TYPE",
    60: "UNKNOWN_TABLE",
    81: "UNKNOWN_DATABASE",
    115: "UNKNOWN_SETTING",
}
#: A smaller block may pass.
_MEMORY_CODES = {
    173: "CANNOT_ALLOCATE_MEMORY",
    241: "MEMORY_LIMIT_EXCEEDED",
}
#: ClickHouse speaks of the data itself.
_DATA_CODES = {
    6: "CANNOT_PARSE_TEXT",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    33: "CANNOT_READ_ALL_DATA",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    130: "CANNOT_READ_ARRAY_FROM_TEXT",
    131: "TOO_LARGE_STRING_SIZE",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
    407: "DECIMAL_OVERFLOW",
    441: "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    563: "CANNOT_READ_MAP_FROM_TEXT",
    626: "CANNOT_SKIP_UNKNOWN_FIELD",
    632: "UNEXPECTED_DATA_AFTER_PARSED_VALUE",
}


#: Raised while rows are encoded for the wire, before ClickHouse sees them.
_BAD_DATA = (DataError, TypeError, ValueError, OverflowError, struct.error)


class InsertFailure(Exception):
    """An insert did not happen, or not certainly."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Unavailable(InsertFailure):
    """Worth the same try again, later."""


class SchemaDrift(InsertFailure):
    """The server's schema is not ours; worth a try again after `sori schema apply`."""


class TooMuchMemory(InsertFailure):
    """The same block would fail again: worth a try in parts, and a single row worth the same try, later."""


class Rejected(InsertFailure):
    """ClickHouse understood the insert and refuses these rows."""


def classify(error: Exception) -> InsertFailure:
    """Map what clickhouse-connect raised. An unknown code counts as Unavailable: waiting loses nothing."""
    text = plain_message(error)
    code = getattr(error, "code", None)
    if code in _SCHEMA_CODES:
        return SchemaDrift(text, code)
    if code in _MEMORY_CODES:
        return TooMuchMemory(text, code)
    if code in _DATA_CODES:
        return Rejected(text, code)
    if isinstance(error, _BAD_DATA):
        return Rejected(text or type(error).__name__, code)
    return Unavailable(text or type(error).__name__, code)
