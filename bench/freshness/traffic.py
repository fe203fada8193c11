"""Steady events to a webhook URL."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from datetime import UTC, datetime

import aiohttp

_TICK_S = 0.02
_MOST_UNDER_WAY = 500


class Traffic:
    """Unsigned impressions and clicks, created now."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._rng = random.Random(1)
        self.accepted = self.failed = 0

    async def send(self, campaign: str) -> None:
        """One impression; returns when it is answered. Raises when it is not accepted."""
        body = self._body(campaign)
        async with self._http.post(self._url, data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            answer.raise_for_status()

    async def warm_up(self) -> None:
        """Until the first events went through every stage's first-time work."""
        for number in range(50):
            await self.send(f"warm_{number % 5}")

    async def run(self, rate: int) -> None:
        """`rate` events per second until cancelled, spread evenly; fewer when the answers do not keep up."""
        begun = time.perf_counter()
        sent = 0
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                due = int((time.perf_counter() - begun) * rate)
                for _ in range(min(due - sent, _MOST_UNDER_WAY - len(under_way))):
                    task = asyncio.create_task(self._send_one())
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                sent = due
                await asyncio.sleep(_TICK_S)
        finally:
            for task in under_way:
                task.cancel()

    async def _send_one(self) -> None:
        try:
            await self.send(f"cmp_{self._rng.randrange(40)}")
        except (aiohttp.ClientError, TimeoutError):
            self.failed += 1
        else:
            self.accepted += 1

    def _body(self, campaign: str) -> bytes:
        created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        city = self._rng.randrange(300)
        return json.dumps(
            {
                "event": "campaign.impression" if self._rng.random() > 0.05 else "campaign.click",
                "account_id": "acc_1",
                "created_at": created,
                "timestamp": created,
                "activity_id": uuid.uuid4().hex,
                "device_id": f"device_{self._rng.randrange(50_000)}",
                "platform": "Android",
                "geolocation": {"viewer_country": "US", "viewer_region": f"R{city % 20}", "viewer_city": f"C{city}"},
                "campaign": {"id": campaign, "name": campaign, "tags": [], "image": "https://x/c.png"},
                "material": {"id": "mat_1", "name": "Spot", "tags": []},
            }
        ).encode()
