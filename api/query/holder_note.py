"""The note beside an embedded engine: where the API of the process that holds it is, and a token for it.

The token opens everything, maintenance too, to who can read the data directory: locking the API locks nobody out there.

A chDB path is open in one process at a time, so whoever else wants to ask finds that process by this note.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from runtime.clickhouse.client import Dsn


def note_path(dsn: Dsn) -> Path | None:
    """Where the process that holds a chDB path says where its API is."""
    return None if dsn.path is None else dsn.path.with_name(dsn.path.name + ".api.json")


@dataclass(frozen=True, slots=True)
class Note:
    """Where the API of the process is that holds an embedded engine, and the Kafka that it reads."""

    url: str
    token: str
    pid: int = 0
    bootstrap: str = ""
    topic_prefix: str = ""


def read_note(dsn: Dsn) -> Note | None:
    """The note beside a chDB path, or None; the process that wrote it may be gone."""
    path = note_path(dsn)
    try:
        note = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        kafka = note.get("kafka", {})
        return Note(
            note["url"], note["token"], note.get("pid", 0), kafka.get("bootstrap", ""), kafka.get("topic_prefix", "")
        )
    except (OSError, ValueError, KeyError):
        return None


def noted_url(dsn: Dsn) -> str | None:
    """The URL in that note, or None."""
    note = read_note(dsn)
    return note.url if note is not None else None


def write_note(path: Path, note: dict[str, object]) -> None:
    """For this user's eyes only: the token opens everything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(note, file)
