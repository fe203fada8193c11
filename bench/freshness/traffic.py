"""Steady events to a webhook URL."""

from __future__ import annotations

import json
import random
import uuid

import aiohttp

from bench.common.steady_load import event_now, steadily


class Traffic:
    """Unsigned impressions and clicks, created now; `accepted` and `failed` count those of `run`."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._rng = random.Random(1)
        self.accepted = self.failed = 0

    async def send(self, campaign: str) -> None:
        """One impression; returns when it is answered. Raises when it is not accepted."""
        named = {"id": campaign, "name": campaign, "tags": [], "image": "https://x/c.png"}
        body = json.dumps(
            event_now(self._rng, account_id="acc_1", activity_id=uuid.uuid4().hex, campaign=named)
        ).encode()
        async with self._http.post(self._url, data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            answer.raise_for_status()

    async def warm_up(self) -> None:
        """Until the first events went through every stage's first-time work."""
        for number in range(50):
            await self.send(f"warm_{number % 5}")

    async def run(self, rate: int) -> None:
        """About `rate` events per second, until cancelled."""
        await steadily(self._send_one, rate)

    async def _send_one(self) -> None:
        try:
            await self.send(f"cmp_{self._rng.randrange(40)}")
        except (aiohttp.ClientError, TimeoutError):
            self.failed += 1
        else:
            self.accepted += 1
