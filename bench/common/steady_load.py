"""Plausible events at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from sori.times import iso

_TICK_S = 0.02
_MOST_UNDER_WAY = 500


async def steadily(send: Callable[[], Coroutine[Any, Any, object]], rate: int) -> None:
    """Start `rate` sends per second until cancelled, spread evenly; fewer when the answers do not keep up.

    It ends when all sends under way have ended: bound each of them.
    """
    begun, sent = time.monotonic(), 0
    under_way: set[asyncio.Task[object]] = set()
    try:
        while True:
            due = int((time.monotonic() - begun) * rate)
            for _ in range(min(due - sent, _MOST_UNDER_WAY - len(under_way))):
                task = asyncio.create_task(send())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            sent = due
            await asyncio.sleep(_TICK_S)
    finally:
        await asyncio.gather(*under_way, return_exceptions=True)  # their outcomes must be known


def event_now(dice: Random, **fields: Any) -> dict[str, Any]:
    """An impression, or a click in one of twenty, of one of 50,000 devices, created now; `fields` replace its own."""
    created = iso(int(time.time() * 1000))
    city, campaign = dice.randrange(300), f"cmp_{dice.randrange(40)}"
    return {
        "event": "campaign.impression" if dice.random() > 0.05 else "campaign.click",
        "created_at": created,
        "timestamp": created,
        "device_id": f"device_{dice.randrange(50_000)}",
        "platform": dice.choice(("Android", "iOS")),
        "geolocation": {"viewer_country": "US", "viewer_region": f"R{city % 20}", "viewer_city": f"C{city}"},
        "campaign": {"id": campaign, "name": campaign, "tags": [], "image": "https://x/c.png"},
        "material": {"id": "mat_1", "name": "Spot", "tags": []},
        **fields,
    }
