"""Fields that no column has: which there are, and how to ask for one. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.query.ctr_sql import quote, time_literal
from api.query.row_times import iso

_MOST_SHOWN = 200


def unknown_fields_sql(since: datetime | None = None, account: str | None = None, limit: int = 100) -> str:
    """The newest first; a sample is cut to what a line holds."""
    bounds = [f"first_seen >= {time_literal(since)}"] if since is not None else []
    bounds += [f"account_id = {quote(account)}"] if account is not None else []
    where = f"WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"""
        SELECT account_id, event, field, path, share, first_seen, last_seen,
            substringUTF8(sample, 1, {_MOST_SHOWN}) AS sample
        FROM unknown_fields {where}
        ORDER BY first_seen DESC, account_id, event, field LIMIT {int(limit)}"""  # noqa: S608 - quoted


def as_field(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as users see it: times as everywhere, and the query that asks for the field."""
    return {**iso(row, ("first_seen", "last_seen")), "query": asking_sql(row)}


def asking_sql(field: Mapping[str, Any]) -> str:
    """The query that asks for a field of `unknown_fields`: a text as text, a number as a number, else as JSON."""
    keys = ", ".join(quote(key) for key in field["path"])
    sample = field["sample"]
    numeric = sample[:1].isdigit() or (sample[:1] == "-" and sample[1:2].isdigit())
    reader = "JSONExtractString" if sample[:1] == '"' else "JSONExtractFloat" if numeric else "JSONExtractRaw"
    body = "if(canonical = '', raw, canonical)"
    kind = f"account_id = {quote(field['account_id'])} AND event = {quote(field['event'])}"
    return (
        f"SELECT {reader}({body}, {keys}) AS value, count() AS n FROM events_current"  # noqa: S608 - quoted
        f" WHERE {kind} AND received_at >= now() - INTERVAL 1 DAY GROUP BY value ORDER BY n DESC LIMIT 20"
    )
