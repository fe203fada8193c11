"""Pages of rows: how many, since when, and where to go on. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from multidict import MultiMapping

from api.query.ctr_sql import parse_since, quote
from sori.errors import QueryError

MOST, DEFAULT = 1000, 50
_MOST_CURSOR = 1024


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
    return base64.urlsafe_b64encode(json.dumps(list(last)).encode()).decode().rstrip("=")


def cursor_of(query: MultiMapping[str], length: int) -> tuple[str, ...] | None:
    """?cursor=, as the columns it was made of. Raises QueryError when it was not made by us."""
    text = query.get("cursor")
    if not text:
        return None
    try:
        found = json.loads(base64.b64decode(text[:_MOST_CURSOR] + "=" * (-len(text) % 4), b"-_", validate=True))
        datetime.strptime(found[0], "%Y-%m-%d %H:%M:%S.%f")  # noqa: DTZ007 - only its form counts
    except (binascii.Error, ValueError, LookupError, TypeError, RecursionError):
        raise QueryError("cursor: not one of ours") from None
    if not (isinstance(found, list) and len(found) == length and all(isinstance(part, str) for part in found)):
        raise QueryError("cursor: not one of ours")
    return tuple(found)


def time_text(text: str) -> str:
    """A time as ClickHouse writes it, as a literal."""
    return f"toDateTime64({quote(text)}, 3, 'UTC')"


def among(column: str, values: Sequence[str]) -> str:
    """A condition; empty when any value will do."""
    return f"{column} IN ({', '.join(quote(value) for value in values)})" if values else ""
