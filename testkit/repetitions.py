"""How a delivery may repeat an event: all of it but the identity may differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sori.events import parse_time_ms
from sori.times import iso

Event = dict[str, Any]


def _shifted(event: Event, seconds: int) -> Event:
    return {"created_at": iso(parse_time_ms(event["created_at"], "created_at") + seconds * 1000)}


#: What a repetition says otherwise, by its sort; None leaves a field out.
REPETITIONS: dict[str, Callable[[Event], Event]] = {
    "as SORI retries": lambda _: {"timestamp": iso(int(time.time() * 1000))},
    "another pane": lambda event: _shifted(event, -15),
    "another minute": lambda event: _shifted(event, -75),
    "late": lambda event: _shifted(event, -1800),
    "without device": lambda _: {"device_id": None},
    "another device": lambda event: {"device_id": f"{event['device_id']}_again"},
    "other fields": lambda _: {"platform": None, "geolocation": None},
    "all of it": lambda event: {"device_id": None, "platform": "Web", **_shifted(event, -700)},
}


def repeated(event: Event, sort: str) -> Event:
    """The event once more, in another way."""
    return {name: value for name, value in {**event, **REPETITIONS[sort](event)}.items() if value is not None}
