"""Standard Webhooks: type, timestamp, data."""

from __future__ import annotations

from typing import Any

import orjson

from notify.formats.telling import Telling


def standard(told: Telling) -> bytes:
    """The record as it is."""
    return orjson.dumps(
        {"type": told.kind, "timestamp": told.timestamp, "data": told.record},
    )


def standard_test(sample: dict[str, Any], now: str) -> bytes:
    """A test delivery: of its own type, so that nobody takes it for an alert."""
    return orjson.dumps({"type": "test", "timestamp": now, "data": sample})
