"""The customer's own session records, read from CSV or NDJSON into rows of sori.session-records. Pure.

A row: {"account_id", "session", "device_id", "at": ISO 8601 in UTC with milliseconds, "source", "extra": JSON}.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sori.errors import EventError, InvalidEvent
from sori.events import parse_time_ms
from sori.times import iso

#: What a field may be called in the customer's files; the first is ours.
ALIASES = {
    "account_id": ("account_id", "account"),
    "session": ("session", "session_id", "sessionId"),
    "device_id": ("device_id", "device", "deviceId"),
    "at": ("at", "time", "timestamp", "created_at", "login_at", "logged_in_at"),
}


def read_records(lines: Iterable[str], kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number, fields) of every record; `kind` is csv (with a header line) or ndjson. Raises InvalidEvent."""
    if kind == "csv":
        reader = csv.DictReader(lines)
        for row in reader:
            yield reader.line_num, {name: value for name, value in row.items() if name is not None}
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InvalidEvent(f"line {number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise InvalidEvent(f"line {number} is not a JSON object")
        yield number, record


def to_row(record: Mapping[str, Any], *, account: str = "", source: str = "") -> dict[str, str]:
    """Our row of a record. `account` fills in where the record names none. Raises InvalidEvent naming the field."""
    found = {name: _first(record, names) for name, names in ALIASES.items()}
    found["account_id"] = found["account_id"] or account
    if not found["account_id"]:
        raise InvalidEvent("missing; name it in the file or with --account", "account_id")
    if not found["session"] and not found["device_id"]:
        raise InvalidEvent("a record needs a session or a device_id", "session")
    known = {name for names in ALIASES.values() for name in names}
    extra = {name: value for name, value in record.items() if name not in known}
    return {
        "account_id": found["account_id"],
        "session": found["session"],
        "device_id": found["device_id"],
        "at": _iso(found["at"]),
        "source": source,
        "extra": json.dumps(extra, sort_keys=True, default=str) if extra else "",
    }


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(record[name]).strip() for name in names if record.get(name) not in (None, "")), "")


def _iso(text: str) -> str:
    """ISO 8601, or epoch seconds or milliseconds."""
    try:
        # an epoch has the bounds that a date has: beyond them the column holds another time
        written = iso(_epoch_ms(text)) if text.replace(".", "", 1).isdigit() else text
        return iso(parse_time_ms(written, "at"))
    except (EventError, ValueError, OverflowError, OSError) as error:
        raise InvalidEvent(f"not a time: {text[:64]!r}", "at") from error


def _epoch_ms(text: str) -> int:
    number = float(text)
    return int(number if number >= 1e11 else number * 1000)
