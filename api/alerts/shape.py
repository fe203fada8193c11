"""One shape of an alert everywhere: what the API answers is what the topic, webhooks and the stream carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.query.row_times import iso
from sori.alerting.alert import Alert

#: The fields of docs/schemas/fraud-alert.json, in the order of the type.
FIELDS: tuple[str, ...] = Alert.__struct_fields__
_TIMES = ("window_start", "window_end", "opened_at", "updated_at", "closed_at")


def as_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the record it was made of: times ISO 8601 with Z, the evidence an object."""
    found = iso({name: row[name] for name in FIELDS}, _TIMES)
    found["evidence"] = json.loads(row["evidence"] or "{}")
    return found
