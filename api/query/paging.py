"""Pages of rows: how many, since when, and where to go on. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from multidict import MultiMapping

from api.query.ctr_sql import parse_since, quote
from sori.errors import QueryError

MOST, DEFAULT = 1000, 50
#: Two ids of 2 KiB, or one of 4, and a time; it is a part of a URL.
MOST_CURSOR = 7_500
#: Not JSON, which writes six bytes for some characters of an id.
_packed = msgspec.msgpack.Encoder()
_columns = msgspec.msgpack.Decoder(tuple[str, ...])


def limit_of(query: MultiMapping[str]) -> int:
    """?limit=, from 1 to `MOST`. Raises QueryError."""
    text = query.get("limit")
    if text is None:
        return DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MOST):
        raise QueryError(f"limit must be a number from 1 to {MOST}, not {text[:20]!r}")
    return int(text)


def moment_of(query: MultiMapping[str], name: str) -> datetime | None:
    """?since= or ?until=, as a time. Raises QueryError."""
    text = query.get(name)
    return parse_since(text, datetime.now(UTC)) if text else None


def page(rows: list[dict[str, Any]], limit: int, keys: Sequence[str]) -> dict[str, Any]:
    """The answer for rows that were asked for with `limit` + 1: {"rows", "next"}; `next` is a cursor, or null."""
    more, rows = len(rows) > limit, rows[:limit]
    return {"rows": rows, "next": make_cursor([str(rows[-1][key]) for key in keys]) if more else None}


def make_cursor(last: Sequence[str]) -> str:
    """Where to go on behind the row whose sorting columns are these, as an opaque text; the first one is a time."""
    return base64.urlsafe_b64encode(_packed.encode(list(last))).decode().rstrip("=")


def cursor_of(query: MultiMapping[str], length: int) -> tuple[str, ...] | None:
    """?cursor=, as the columns it was made of. Raises QueryError when it was not made by us."""
    text = query.get("cursor")
    if not text:
        return None
    try:
        found = _columns.decode(base64.b64decode(text[:MOST_CURSOR] + "=" * (-len(text) % 4), b"-_", validate=True))
        datetime.strptime(found[0], "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - only its form counts
    except (msgspec.MsgspecError, binascii.Error, ValueError, LookupError):
        raise QueryError("cursor: not one of ours") from None
    if len(found) != length:
        raise QueryError("cursor: not one of ours")
    return found


def time_text(text: str) -> str:
    """A time as ClickHouse writes it, as a literal."""
    return f"toDateTime64({quote(text)}, 3, 'UTC')"


def among(column: str, values: Sequence[str]) -> str:
    """A condition; empty when any value will do."""
    return f"{column} IN ({', '.join(quote(value) for value in values)})" if values else ""
